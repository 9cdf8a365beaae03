"""`/local/inbox/messages`: the captured mail, for the page, for tests and for scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field

from tracemypods.kit.errors import NotFound, responses
from tracemypods.local.sandboxes.guard import from_this_machine
from tracemypods.local.sandboxes.mail.content import UNKNOWN_TYPE
from tracemypods.local.sandboxes.mail.store import Kept, MailStore

PATH = "/local/inbox/messages"

CLOSED = "default-src 'none'; form-action 'none'; base-uri 'none'; sandbox"
"""The policy of what somebody sent: it is shown at most, and does and loads nothing."""

HTML_POLICY = (
    f"{CLOSED}; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"
)

HARMLESS_TYPES = frozenset(
    {"application/pdf", "application/json", "image/gif", "image/jpeg", "image/png"}
)
"""Attachments keep these types; all others are bytes without one."""

router = APIRouter(prefix=PATH, tags=["mail"], dependencies=[Depends(from_this_machine)])


class Attachment(BaseModel):
    """One attachment. `n` is its number in the message, from 0; `type` is what the sender says."""

    n: int
    name: str
    type: str
    bytes: int


class Message(BaseModel):
    """One captured message. `from` and `to` are the envelope's."""

    id: str
    received_at: datetime
    sender: str = Field(serialization_alias="from")
    to: str = Field(description="The recipients, separated by a comma and a blank")
    subject: str
    message_id: str = Field(description="Its Message-ID: mails with the same are the same mail")
    text: str | None = Field(description="The plain text, if there is one and it was asked for")
    html: str | None = Field(description="The HTML, if there is one and it was asked for")
    has_text: bool
    has_html: bool
    attachments: list[Attachment]
    bytes: int = Field(description="Size of the whole message as it came")


class Page(BaseModel):
    """Messages, the newest first; `cursor` asks for the next ones, if there are more."""

    items: list[Message]
    cursor: str | None = None


def _store(request: Request) -> MailStore:
    store: MailStore = request.app.state.mail_store
    return store


Store = Annotated[MailStore, Depends(_store)]
Id = Annotated[str, Path(pattern=r"^mail_[0-9a-f]{32}$")]


@router.get("", responses={304: {}, **responses(403, 422)}, response_model=Page)
async def list_messages(
    store: Store,
    to: Annotated[
        str | None, Query(max_length=320, description="Only mail to this address")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
    bodies: Annotated[bool, Query(description="With their texts")] = True,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The messages. A caller who has the ETag of an answer is told whether it still holds."""
    headers = {"ETag": f'"{store.version}"'}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    found, more = await store.page(to, cursor, limit)
    page = Page(
        items=[_message(one, bodies=bodies) for one in found],
        cursor=found[-1].id if more else None,
    )
    body = page.model_dump_json(by_alias=True)
    return Response(body, media_type="application/json", headers=headers)


@router.delete("", status_code=204, responses=responses(403))
async def delete_messages(store: Store) -> None:
    """Delete all of them."""
    await store.delete_all()


@router.get("/{identifier}", responses=responses(403, 404, 422))
async def get_message(identifier: Id, store: Store) -> Message:
    """One message."""
    return _message(await _found(store, identifier), bodies=True)


@router.get("/{identifier}/html", responses=responses(403, 404, 422), response_class=Response)
async def show_html(identifier: Id, store: Store) -> Response:
    """The HTML of a message, so that nothing in it runs or is loaded."""
    kept = await _found(store, identifier)
    if kept.html is None:
        raise NotFound("This message has no HTML.")
    headers = {"Content-Security-Policy": HTML_POLICY, "X-DNS-Prefetch-Control": "off"}
    return Response(kept.html, media_type="text/html", headers=headers)


@router.get("/{identifier}/source", responses=responses(403, 404, 422), response_class=Response)
async def show_source(identifier: Id, store: Store) -> Response:
    """A message as it came."""
    raw = await store.source(identifier)
    if raw is None:
        raise _gone()
    return Response(raw, media_type="text/plain", headers={"Content-Security-Policy": CLOSED})


@router.get(
    "/{identifier}/attachments/{n}", responses=responses(403, 404, 422), response_class=Response
)
async def download(identifier: Id, n: Annotated[int, Path(ge=0)], store: Store) -> Response:
    """An attachment, to be saved and not shown."""
    attachment = await store.attachment(identifier, n)
    if attachment is None:
        raise NotFound("There is no such message or attachment (any more).")
    name = quote(attachment.name, safe="")
    harmless = attachment.type in HARMLESS_TYPES
    return Response(
        attachment.content,
        media_type=attachment.type if harmless else UNKNOWN_TYPE,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Content-Security-Policy": CLOSED,
        },
    )


async def _found(store: MailStore, identifier: str) -> Kept:
    kept = await store.get(identifier)
    if kept is None:
        raise _gone()
    return kept


def _gone() -> NotFound:
    return NotFound("There is no such message (any more): the newest are kept.")


def _message(kept: Kept, *, bodies: bool) -> Message:
    return Message(
        id=kept.id,
        received_at=kept.received_at,
        sender=kept.sender,
        to=", ".join(kept.recipients),
        subject=kept.subject,
        message_id=kept.message_id,
        text=kept.text if bodies else None,
        html=kept.html if bodies else None,
        has_text=kept.text is not None,
        has_html=kept.html is not None,
        attachments=[
            Attachment(n=n, name=one.name, type=one.type, bytes=one.bytes)
            for n, one in enumerate(kept.attachments)
        ],
        bytes=kept.bytes,
    )
