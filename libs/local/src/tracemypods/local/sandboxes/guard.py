"""Who may use `/local/*`: this machine's own pages and programs, and nobody's through them.

A sandbox listens on 127.0.0.1, but a page from anywhere runs in a browser of this machine. Its
requests name where they come from (Origin), and a name of its own that it has let point to
127.0.0.1 shows in Host; both are refused. Routers name these as dependencies:

    APIRouter(prefix="/local/…", dependencies=[Depends(from_this_machine)])
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Collection

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import SecretStr

from tracemypods.kit.errors import Problem, Unauthorized

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Also the gateway's own address: in local mode it listens there and nowhere else."""

_HOST = re.compile(r"(?P<name>\[[0-9a-f:]+\]|[^\s:@/\[\]]+)(:[0-9]{1,5})?")


def from_this_machine(request: Request) -> None:
    """Pass requests to a loopback name that no other site has made. Raises Problem (403)."""
    check_site(request, ())


def check_site(request: Request, names: Collection[str]) -> None:
    """Pass requests to a loopback name, or one of these, that no other site has made.

    Raises Problem `local_host_refused` or `local_origin_refused` (403).
    """
    hosts = [host.lower() for host in request.headers.getlist("host")]
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    name = found["name"] if found else ""
    if name not in LOOPBACK and name not in names:
        raise Problem(
            "This is for this machine alone: call it by the gateway's address, as `make status` "
            "shows it.",
            status=403,
            code="local_host_refused",
        )
    # A name of ours may be behind TLS, which ends before us; a loopback name is not.
    own = {f"http://{hosts[0]}", *([f"https://{hosts[0]}"] if name in names else [])}
    if any(origin.lower() not in own for origin in request.headers.getlist("origin")):
        raise Problem(
            "This is for pages of this site, not for those of others.",
            status=403,
            code="local_origin_refused",
        )


def with_key(key: SecretStr) -> Callable[[Request], None]:
    """A dependency that wants a sandbox's key as a bearer token. It raises Unauthorized."""
    known = key.get_secret_value().encode()

    def check(request: Request) -> None:
        scheme, given = get_authorization_scheme_param(request.headers.get("authorization"))
        matches = hmac.compare_digest(given.encode(errors="replace"), known)
        if scheme.lower() != "bearer" or not matches:
            raise Unauthorized(
                "This needs the key in .local/secrets/tracemypods_sandbox_key.",
                code="sandbox_key_required",
            )

    return check
