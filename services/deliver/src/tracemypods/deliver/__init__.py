"""Numbers, renders, keeps and mails invoices."""
