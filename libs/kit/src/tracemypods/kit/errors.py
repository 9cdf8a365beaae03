"""Errors as every service answers them: RFC 9457 problem documents with a stable `code`.

Problem (any status)
├── InvalidRequest        422  what was sent is wrong; `errors` names each field
├── Unauthorized          401  no credentials, or none that hold
├── NotFound              404
├── TooLarge              413
├── TooManyRequests       429  comes with Retry-After
└── Unavailable           503  something that the service needs does not answer
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tracemypods.kit.context import request_id

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One thing that is wrong with what was sent."""

    field: str = Field(description="Where, such as `messages.0.content`; empty for the whole body")
    message: str


class ProblemDocument(BaseModel):
    """The body of every error answer (RFC 9457)."""

    type: str = Field("about:blank", description="Always about:blank; `code` tells errors apart")
    title: str = Field(description="The meaning of the status")
    status: int
    detail: str = Field(description="What happened and what to do, for a person")
    code: str = Field(description="Stable name of the error, for programs")
    request_id: str = Field(description="The id under which the logs hold this request")
    errors: list[FieldError] | None = Field(None, description="What is wrong, field by field")


class ErrorResponse(JSONResponse):
    """JSON in ASCII. Errors quote what was sent, which may hold what UTF-8 cannot encode."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


class Problem(HTTPException):
    """An error that is answered as a problem document.

    It is a Starlette HTTPException so that FastAPI passes it on unchanged wherever it is raised,
    body parsing included.
    """

    status: int = 500
    code: str = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status or type(self).status
        self.code = code or type(self).code
        self.errors = list(errors)
        super().__init__(self.status, detail, headers)

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Add what the response should say besides. The error's own headers win."""
        self.headers = {**headers, **(self.headers or {})}

    def document(self) -> ProblemDocument:
        """The body, with the id of the request that is being handled."""
        return ProblemDocument(
            type="about:blank",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            code=self.code,
            request_id=request_id(),
            errors=self.errors or None,
        )

    def response(self) -> Response:
        """The whole answer."""
        return ErrorResponse(
            self.document().model_dump(exclude_none=True),
            status_code=self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


class InvalidRequest(Problem):
    """What was sent is wrong; `errors` names each field."""

    status, code = 422, "invalid_request"


class Unauthorized(Problem):
    """There are no credentials, or none that hold."""

    status, code = 401, "unauthorized"

    def __init__(self, detail: str, *, code: str) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": "Bearer"})


class NotFound(Problem):
    """There is no such thing."""

    status, code = 404, "not_found"


class TooLarge(Problem):
    """More was sent than is taken."""

    status, code = 413, "too_large"


class TooManyRequests(Problem):
    """A limit is reached. `retry_after` is in seconds."""

    status, code = 429, "rate_limited"

    def __init__(
        self, detail: str, *, retry_after: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after), **(headers or {})})


class Unavailable(Problem):
    """Something that the service needs does not answer. `retry_after` is in seconds."""

    status, code = 503, "unavailable"

    def __init__(self, detail: str, *, code: str, retry_after: int = 2) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error answers for a route's OpenAPI entry."""
    return {
        status: {
            "model": ProblemDocument,
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {}},
        }
        for status in statuses
    }


def from_validation(error: RequestValidationError) -> Problem:
    """Turn FastAPI's validation error into a problem that names each field."""
    found: list[FieldError] = []
    for problem in error.errors():
        place, *path = problem["loc"]
        if problem["type"] == "json_invalid":
            return Problem(
                "The body is not valid JSON. Send one JSON object encoded in UTF-8.",
                status=400,
                code="malformed_body",
            )
        where = ".".join(str(step) for step in path)
        if place not in ("body",):
            where = f"{place}.{where}"
        found.append(FieldError(field=where, message=problem["msg"]))
    named = "; ".join(f"{one.field or 'the body'}: {one.message}" for one in found[:5])
    return InvalidRequest(f"The request is not valid: {named}.", errors=found)


def from_http_exception(error: HTTPException) -> Problem:
    """Turn Starlette's own errors (404, 405, unreadable bodies) into problems."""
    if isinstance(error, Problem):
        return error
    known = {
        400: ("malformed_body", "The body could not be read as JSON in UTF-8."),
        404: ("not_found", "There is nothing at this path."),
        405: ("method_not_allowed", "This path does not take that method."),
    }
    code, detail = known.get(error.status_code, ("http_error", str(error.detail)))
    return Problem(detail, status=error.status_code, code=code, headers=error.headers)


async def answer_problem(_request: Request, error: Exception) -> Response:
    """The exception handler of every service for HTTPException and RequestValidationError."""
    return as_problem(error).response()


def as_problem(error: Exception) -> Problem:
    """The problem that an error is answered as; errors that nothing foresaw are a plain 500."""
    if isinstance(error, RequestValidationError):
        return from_validation(error)
    if isinstance(error, HTTPException):
        return from_http_exception(error)
    return Problem("Something went wrong on our side. Please try again.")
