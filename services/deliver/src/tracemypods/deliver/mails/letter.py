"""The mail with a document: text, HTML and the PDF."""

from __future__ import annotations

import html

from tracemypods.deliver.files.keeping import PDF, filename
from tracemypods.deliver.invoices.document import Document
from tracemypods.deliver.pdf.money import amount
from tracemypods.mail.message import Attachment, Mail


def letter(document: Document, pdf: bytes, to: str, message_id: str) -> Mail:
    """Write the mail. What the buyer said of themselves is text in it, whatever it looks like."""
    what = "invoice" if document.kind == "invoice" else "credit note"
    lines = [
        f"Thank you for your order. Your {what} {document.number} is attached."
        if document.kind == "invoice"
        else f"Your money is on its way back. The {what} {document.number} for it is attached.",
        f"{document.lines[0].description}: {amount(document.total, document.currency)}",
        f"Order: {document.order_id}",
    ]
    if document.is_test:
        lines.append("This was a test: no money was moved, and the document is of no value.")
    contact = [one for one in (document.seller.email, document.seller.phone) if one]
    if contact:
        lines.append(f"Questions? {', '.join(contact)}")
    if document.seller.name:
        lines.append(document.seller.name)
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return Mail(
        id=message_id,
        to=to,
        subject=f"Your {what} {document.number}",
        text="\n\n".join(lines) + "\n",
        html=f'<!doctype html><html lang="en"><body style="font-family:sans-serif">{paragraphs}'
        "</body></html>",
        attachments=(Attachment(filename(document.number), PDF, pdf),),
    )
