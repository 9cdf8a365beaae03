"""Errors as Razorpay answers them (its pages "errors" and "Test S2S, error index").

ApiError (400 BAD_REQUEST_ERROR)
├── Invalid         what was sent is wrong; `field` names it
├── UnknownId       400  there is no such thing, or the id has not its shape
├── NotAllowed      400  the thing is not in a state for that
├── NotAuthenticated  401
├── Conflict        409  an idempotency key is in use
└── Broken          5xx and 429, on demand
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

BAD_REQUEST = "BAD_REQUEST_ERROR"
SERVER_ERROR = "SERVER_ERROR"
GATEWAY_ERROR = "GATEWAY_ERROR"
NOT_APPLICABLE = "NA"


class ApiError(Exception):
    """An error with all seven fields that Razorpay documents."""

    status = 400

    def __init__(
        self,
        description: str,
        *,
        code: str = BAD_REQUEST,
        field: str | None = None,
        source: str = "business",
        step: str = "payment_initiation",
        reason: str = "input_validation_failed",
        metadata: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(description)
        self.status = status or type(self).status
        self.error: dict[str, Any] = {
            "code": code,
            "description": description,
            "field": field,
            "source": source,
            "step": step,
            "reason": reason,
            "metadata": dict(metadata or {}),
        }

    def response(self) -> Response:
        """The whole answer."""
        return JSONResponse({"error": self.error}, status_code=self.status)


class Invalid(ApiError):
    """What was sent is wrong."""

    def __init__(self, description: str, field: str | None, **more: Any) -> None:
        super().__init__(description, field=field, **more)


class UnknownId(ApiError):
    """There is no such thing. Razorpay says so with 400, not 404."""

    def __init__(self) -> None:
        super().__init__("The id provided does not exist")


class MalformedId(ApiError):
    """An id that none of its kind can have."""

    def __init__(self, identifier: str) -> None:
        super().__init__(f"{identifier[:64]} is not a valid id")


class NotAllowed(ApiError):
    """The thing is not in a state for that."""


class NotAuthenticated(ApiError):
    """The key is unknown, or its secret wrong."""

    status = 401

    def __init__(self, description: str = "Authentication failed") -> None:
        super().__init__(
            description, source=NOT_APPLICABLE, step=NOT_APPLICABLE, reason=NOT_APPLICABLE
        )


class Conflict(ApiError):
    """An idempotency key stands for another request, or for one that goes on."""

    status = 409

    def __init__(self, description: str) -> None:
        super().__init__(
            description, source=NOT_APPLICABLE, step=NOT_APPLICABLE, reason=NOT_APPLICABLE
        )


class Broken(ApiError):
    """What was asked for with a fault."""

    def __init__(self, description: str, *, status: int, code: str = SERVER_ERROR) -> None:
        super().__init__(
            description,
            code=code,
            source=NOT_APPLICABLE,
            step=NOT_APPLICABLE,
            reason=NOT_APPLICABLE,
            status=status,
        )


def not_found() -> ApiError:
    """What `/v1` says to paths and methods that it does not have."""
    return ApiError(
        "The requested URL was not found on the server.",
        source=NOT_APPLICABLE,
        step=NOT_APPLICABLE,
        reason=NOT_APPLICABLE,
    )


async def answer_api_error(_request: Request, error: Exception) -> Response:
    """The application's handler of ApiError."""
    assert isinstance(error, ApiError)  # noqa: S101 - what it is registered for
    return error.response()
