"""Calls between services: routes under `/internal/`, and one key for each edge.

An edge is a caller and a callee, and its key is of no use on any other. Each service has the keys
of its own edges alone: files called `tracemypods_edge_<caller>_<callee>` in the folder that
TRACEMYPODS_SECRETS_DIR names, or variables called TRACEMYPODS_EDGE_<CALLER>_<CALLEE>. Which edges
there are is written in fleet.toml; the gateway forwards nothing that begins with `/internal/`.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import SecretStr
from starlette.requests import Request

from tracemypods.kit.errors import Problem, Unauthorized
from tracemypods.kit.settings import MINIMUM_SECRET_LENGTH, SECRETS_DIR, SettingsError

_log = logging.getLogger("tracemypods.internal")

_PREFIX = "TRACEMYPODS_EDGE_"


def edge_variable(caller: str, callee: str) -> str:
    """The variable with an edge's key; in lower case, its file."""
    return f"{_PREFIX}{caller}_{callee}".upper()


class EdgeKeys:
    """The keys with which one service is called, by caller."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._keys = {name: key.get_secret_value().encode() for name, key in keys.items()}

    @classmethod
    def load(cls, callee: str) -> EdgeKeys:
        """Read the keys of all edges that lead to a service.

        Raises SettingsError when one of them is too short to be a key.
        """
        names = {name for name in os.environ if name.startswith(_PREFIX)}
        folder = os.environ.get(SECRETS_DIR)
        if folder:
            names |= {file.name.upper() for file in Path(folder).glob(f"{_PREFIX.lower()}*")}
        ending = f"_{callee}".upper()
        callers = [
            name.removeprefix(_PREFIX).removesuffix(ending).lower()
            for name in names
            if name.endswith(ending)
        ]
        return cls({caller: edge_bearer(caller, callee) for caller in callers})

    def caller_with(self, key: str, callers: tuple[str, ...]) -> str | None:
        """Whose key this is, of these callers; None when it is none of theirs.

        It takes as long for a wrong key as for a right one.
        """
        given, found = key.encode(), None
        for caller in callers:
            if hmac.compare_digest(given, self._keys.get(caller, b"")) and given:
                found = caller
        return found


def edge_bearer(caller: str, callee: str) -> SecretStr:
    """The key that `caller` shows to `callee`, for its HttpClient.

    Raises SettingsError when there is none, or one that is too short.
    """
    name = edge_variable(caller, callee)
    folder = os.environ.get(SECRETS_DIR)
    file = Path(folder) / name.lower() if folder else None
    value = os.environ.get(name) or (file.read_text().strip() if file and file.is_file() else "")
    if len(value) < MINIMUM_SECRET_LENGTH:
        raise SettingsError(
            f"{name}: a key of at least {MINIMUM_SECRET_LENGTH} characters is needed"
        )
    return SecretStr(value)


class CallsFrom(SecurityBase):
    """A FastAPI dependency that lets certain services through; it is the caller's name.

    It shows in the OpenAPI document as a security scheme that names them.
    """

    def __init__(self, callers: tuple[str, ...]) -> None:
        self.callers = callers
        self.scheme_name = f"calls_from_{'_or_'.join(callers)}"
        self.model = HTTPBearer(description=f"Edge key of {' or '.join(callers)}")

    async def __call__(self, request: Request) -> str:
        """Name the caller. Raises Problem `edge_key_missing` (401) or `edge_key_wrong` (403)."""
        scheme, key = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() != "bearer" or not key:
            raise Unauthorized("This route is for other services.", code="edge_key_missing")
        caller = _edge_keys(request.app).caller_with(key, self.callers)
        if caller is None:
            _log.warning("edge key refused", extra={"path": request.url.path})
            raise Problem("This key does not open this route.", status=403, code="edge_key_wrong")
        return caller


def calls_from(*callers: str) -> CallsFrom:
    """A dependency that lets only these services call a route: `Depends(calls_from("order"))`."""
    return CallsFrom(callers)


def _edge_keys(app: FastAPI) -> EdgeKeys:
    """The application's keys, read once. A test may set `state.edge_keys` itself."""
    known: EdgeKeys | None = getattr(app.state, "edge_keys", None)
    if known is None:
        # kit.app gives every application its service's name in its title.
        known = app.state.edge_keys = EdgeKeys.load(app.title.rpartition(" ")[2])
    return known
