"""Operator keys: named, hashed, limited to scopes, and every use of one in the audit log.

A service that has operator routes finds the keys' hashes in the file `tracemypods_operator_keys` of
the folder that TRACEMYPODS_SECRETS_DIR names, one JSON object a line:

    {"name": "asha", "sha256": "…", "scopes": ["tokens:revoke"], "created": "2026-01-31T09:00:00Z"}

The scope `*` stands for all. A file that has changed is read again, so that a key can be added or
withdrawn while services run. Keys are 256 random bits, so a plain hash is enough to hide them.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from tracemypods.kit.errors import Problem, Unauthorized, Unavailable
from tracemypods.kit.settings import SECRETS_DIR

_log = logging.getLogger("tracemypods.operators")
_audit = logging.getLogger("tracemypods.audit")

FILE = "tracemypods_operator_keys"
ALL_SCOPES = "*"


class OperatorKey(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: tuple[str, ...]
    created: datetime

    def may(self, scope: str) -> bool:
        """Whether the key is for that."""
        return scope in self.scopes or ALL_SCOPES in self.scopes


def new_key(name: str, scopes: tuple[str, ...], now: datetime) -> tuple[str, OperatorKey]:
    """Make a key; returns it, and what is kept of it."""
    key = f"tmpods_op_{secrets.token_urlsafe(32)}"
    return key, OperatorKey(name=name, sha256=_hash(key), scopes=scopes, created=now)


class OperatorKeys:
    """The keys of one file, read again when it changes. A file that is not there has none."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._read: tuple[int, int] | None = None
        self._keys: tuple[OperatorKey, ...] = ()

    def find(self, key: str) -> OperatorKey | None:
        """What is known of a key.

        Raises Unavailable `operator_keys_unreadable` for a file that is no list of keys.
        """
        wanted, found = _hash(key), None
        for known in self._current():
            if hmac.compare_digest(known.sha256, wanted):
                found = known
        return found

    def _current(self) -> tuple[OperatorKey, ...]:
        try:
            status = self._file.stat() if self._file else None
            read = (status.st_mtime_ns, status.st_ino) if status else None
            if self._file and read != self._read:
                lines = self._file.read_text().splitlines()
                self._keys = tuple(
                    OperatorKey.model_validate_json(line) for line in lines if line.strip()
                )
            self._read = read
        except FileNotFoundError:
            self._keys, self._read = (), None
        except (OSError, ValueError) as error:
            _log.error("operator keys can't be read", extra={"reason": type(error).__name__})
            raise Unavailable(
                "The list of operators can't be read.", code="operator_keys_unreadable"
            ) from None
        return self._keys


class Operator(SecurityBase):
    """A FastAPI dependency that lets operators with a scope through; it is the operator's name."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.scheme_name = "operator"
        self.model = HTTPBearer(description="An operator's key, with the scope of the route")

    async def __call__(self, request: Request) -> AsyncGenerator[str]:
        """Name the operator, and log how the request ends.

        Raises Unauthorized `operator_key_missing` or `operator_key_unknown`, Problem
        `operator_scope_missing` (403), and Unavailable `operator_keys_unreadable`.
        """
        scheme, key = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() != "bearer" or not key:
            raise Unauthorized(
                "Send an operator's key as `Authorization: Bearer <key>`.",
                code="operator_key_missing",
            )
        known = _operator_keys(request).find(key)

        def audit(outcome: str) -> None:
            use = {"method": request.method, "path": request.url.path, "scope": self.scope}
            name = known.name if known else None
            _audit.info("operator key used", extra={**use, "operator": name, "outcome": outcome})

        if known is None:
            audit("key_unknown")
            raise Unauthorized("This is no operator's key.", code="operator_key_unknown")
        if not known.may(self.scope):
            audit("scope_missing")
            raise Problem(
                f"This key lacks the scope {self.scope}.", status=403, code="operator_scope_missing"
            )
        audit("allowed")
        try:
            yield known.name
        except BaseException as error:
            audit(f"failed: {getattr(error, 'code', type(error).__name__)}")
            raise
        audit("done")


def operator(scope: str) -> Operator:
    """The dependency of an operators' route, such as `Depends(operator("tokens:revoke"))`."""
    return Operator(scope)


def _operator_keys(request: Request) -> OperatorKeys:
    """The application's keys. A test may set `state.operator_keys` itself."""
    known: OperatorKeys | None = getattr(request.app.state, "operator_keys", None)
    if known is None:
        folder = os.environ.get(SECRETS_DIR)
        known = request.app.state.operator_keys = OperatorKeys(
            Path(folder) / FILE if folder else None
        )
    return known


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
