"""Asking the token service about a premium token that Redis has no record of."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from tracemypods.contracts.tokens import TokenCheck, TokenCheckResult, TokenRecord
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.http import DependencyError, HttpClient

_log = logging.getLogger("tracemypods.ask.premium")

REMEMBERED_SECONDS = 5.0
"""What was learnt holds so long, for the case that the copy in Redis is lost again. A revocation
shows at once all the same: tombstones are looked for with every request."""

REMEMBERED_TOKENS = 1000


class PremiumCheck:
    """Asks, and remembers for a moment."""

    def __init__(self, client: HttpClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, TokenRecord | None]] = OrderedDict()

    async def record(self, hashes: Sequence[str]) -> TokenRecord | None:
        """The record of a premium token; None for one that is unknown or revoked.

        Raises Unavailable `token_store_unavailable` when the token service does not say.
        """
        known = self._known.get(hashes[0])
        if known is not None and known[0] > self._clock():
            return known[1]
        body = TokenCheck(hashes=list(hashes)).model_dump()
        try:
            status, answer = await self._client.call("POST", "/internal/tokens/check", json=body)
            if status != 200:
                raise ValueError(f"it answered {status}")
            result = TokenCheckResult.model_validate_json(answer)
        except (DependencyError, ValidationError, ValueError) as error:
            _log.warning("token service failed", extra={"reason": type(error).__name__})
            raise Unavailable(
                "The token store does not answer at the moment. Try again in a few seconds.",
                code="token_store_unavailable",
            ) from error
        record = result.record and result.record.model_copy(update={"hash": result.hash})
        self._known[hashes[0]] = (self._clock() + REMEMBERED_SECONDS, record)
        self._known.move_to_end(hashes[0])
        if len(self._known) > REMEMBERED_TOKENS:
            self._known.popitem(last=False)
        return record
