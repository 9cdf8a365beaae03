"""Who may call what: Razorpay's basic authentication for `/v1`, ours for `/local`."""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.requests import Request

from tracemypods.local.sandboxes.guard import check_site, with_key
from tracemypods.local.sandboxes.razorpay.errors import NotAuthenticated
from tracemypods.local.sandboxes.razorpay.settings import Settings


def check_basic(request: Request, settings: Settings) -> None:
    """Let through who has the API key. The scheme is written exactly `Basic` (api/authentication).

    Raises NotAuthenticated.
    """
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    key_id, colon, secret = decoded.partition(b":")
    if scheme != "Basic" or not colon:
        raise NotAuthenticated("Please provide your api key for authentication purposes.")
    known = hmac.compare_digest(key_id, settings.key_id.encode())
    right = hmac.compare_digest(secret, settings.key_secret.get_secret_value().encode())
    if not known:
        raise NotAuthenticated("The api key provided is invalid")
    if not right:
        raise NotAuthenticated


def check_control(request: Request, settings: Settings) -> None:
    """Let through who has the sandboxes' key. Raises what check_site and with_key do."""
    check_site(request, settings.hosts)
    with_key(settings.key)(request)
