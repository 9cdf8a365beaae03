"""Errors in OpenAI's shape: `{"error": {message, type, param, code}}`."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tracemypods.kit.errors import ErrorResponse, Problem, answer_problem, as_problem

PREFIX = "/v1/"

# OpenAI's names for what has one there; other codes are our own.
CODES = {"model_unknown": "model_not_found", "token_malformed": "invalid_api_key"}

# Validation errors are 422 elsewhere in the fleet and 400 with OpenAI.
STATUSES = {422: 400}


def error_object(problem: Problem) -> dict[str, Any]:
    """The body of an error. `param` is the first field that is wrong, such as `messages[0]`."""
    field = problem.errors[0].field if problem.errors else None
    return {
        "error": {
            "message": problem.detail,
            "type": _type(problem.status),
            "param": re.sub(r"\.(\d+)", r"[\1]", field) if field else None,
            "code": CODES.get(problem.code, problem.code),
        }
    }


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


def error_response(problem: Problem) -> Response:
    """The whole answer."""
    return ErrorResponse(
        error_object(problem),
        status_code=STATUSES.get(problem.status, problem.status),
        headers=problem.headers,
    )


async def answer_by_path(request: Request, error: Exception) -> Response:
    """The exception handler of ask: OpenAI's shape below /v1, problem documents elsewhere."""
    if request.url.path.startswith(PREFIX):
        return error_response(as_problem(error))
    return await answer_problem(request, error)
