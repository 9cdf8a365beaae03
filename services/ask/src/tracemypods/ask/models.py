"""The model server as seen from here: which models it has, and whether it is there at all."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

from tracemypods.contracts.catalogue import Catalogue, ModelEntry, PromptTemplate
from tracemypods.kit.errors import NotFound, Problem, Unavailable
from tracemypods.kit.http import DependencyDown, DependencyError, HttpClient
from tracemypods.kit.tasks import end

_log = logging.getLogger("tracemypods.ask.models")

Status = Literal["ready", "cold", "not_installed", "down"]
"""`cold`: it has to be loaded first, so the next answer takes longer to begin."""

KNOWN_FOR_SECONDS = 3.0
"""How long a list of models holds; a failure holds a third of that."""

RENEWED_BEFORE_SECONDS = 2.0
"""A list that is asked for so long before it ends is made anew meanwhile, so that nobody waits."""

COUNTS_KEPT = 4096
DIGEST_LENGTH = 16


class ModelNotFound(NotFound):
    """The catalogue does not name this model."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"There is no model {name!r}. Use one of: {', '.join(known)}.", code="model_unknown"
        )


class ModelLocked(Problem):
    """The caller's plan does not cover this model."""

    status, code = 403, "model_locked"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model {name!r} needs a premium token. Premium tokens are issued by this site's "
            "operator: ask there for one, or choose a model that GET /api/models shows as allowed."
        )


def upstream_name(name: str, entry: ModelEntry) -> str:
    """What the model server calls a model of the catalogue."""
    return entry.upstream or name


def _without_latest(name: str) -> str:
    """Ollama lists `tinyllama`, pulled without a tag, as `tinyllama:latest`, and knows both."""
    return name.removesuffix(":latest")


class ModelServer:
    """Asks the model server about itself. Many callers at once make one request.

    `api` is the server's OpenAI-compatible API (`…/v1`), `root` what lies beside it. With `awaited`
    its models are on their way to it: each is cold until it has been there once.
    """

    def __init__(
        self,
        api: HttpClient,
        root: HttpClient,
        catalogue: Catalogue,
        clock: Callable[[], float] = time.monotonic,
        *,
        awaited: bool = False,
    ) -> None:
        self.api = api
        self._root = root
        self._catalogue = catalogue
        self._awaited = awaited
        self._seen: set[str] = set()
        self._clock = clock
        self._installed: frozenset[str] = frozenset()
        self._failure: DependencyError | None = None
        self._valid_until = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._can_tokenize = True
        self._may_be_ollama = True
        self._digests: dict[str, str] = {}
        self._loaded: frozenset[str] | None = None
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def weights(self, name: str) -> str:
        """What tells a model's weights from others under the same name; empty where unknown."""
        return self._digests.get(self._known_as(name), "")

    def prompt_template(self, entry: ModelEntry) -> PromptTemplate | None:
        """How a base model is prompted; None for a chat model."""
        return self._catalogue.prompt_template(entry)

    async def installed(self) -> frozenset[str]:
        """The names that the model server has now, by its own word.

        Raises DependencyError when it does not say.
        """
        now = self._clock()
        early = RENEWED_BEFORE_SECONDS if self._failure is None else 0.0
        if now >= self._valid_until - early:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._refresh())
            if now >= self._valid_until:
                # Shielded: one caller who leaves must not take the answer from the others.
                await asyncio.shield(self._asking)
        if self._failure is not None:
            raise self._failure
        return self._installed

    async def close(self) -> None:
        """End what is being asked, and all connections."""
        if self._asking is not None:
            await end(self._asking)
        await self.api.close()
        await self._root.close()

    async def probe(self) -> None:
        """Ask the model server whether it is there, now.

        Raises DependencyError.
        """
        self._valid_until = float("-inf")
        await self.installed()

    async def _refresh(self) -> None:
        try:
            self._installed = await self._list()
            if self._may_be_ollama:
                await self._ask_ollama()
        except DependencyError as error:
            self._failure = error
            self._may_be_ollama = True  # who knows what comes back
            self._valid_until = self._clock() + KNOWN_FOR_SECONDS / 3
            _log.warning("model server failed", extra={"reason": error.reason})
        else:
            self._failure = None
            self._valid_until = self._clock() + KNOWN_FOR_SECONDS

    async def _list(self) -> frozenset[str]:
        status, body = await self.api.call("GET", "/models")
        if status != 200:
            raise DependencyDown(self.api.name, f"answered {status} to GET /models")
        try:
            return frozenset(_without_latest(str(one["id"])) for one in json.loads(body)["data"])
        except (ValueError, KeyError, TypeError):
            raise DependencyDown(self.api.name, "no list of models in its answer") from None

    async def _ask_ollama(self) -> None:
        """What Ollama tells beside OpenAI's API: digests of weights, and which are loaded.

        Raises DependencyError.
        """
        status, tags = await self._root.call("GET", "/api/tags")
        _, running = await self._root.call("GET", "/api/ps") if status == 200 else (0, b"")
        try:
            self._digests = {
                _without_latest(str(one["name"])): str(one["digest"])[:DIGEST_LENGTH]
                for one in json.loads(tags)["models"]
            }
            self._loaded = frozenset(
                _without_latest(str(one["name"])) for one in json.loads(running)["models"]
            )
        except (ValueError, KeyError, TypeError):
            self._may_be_ollama, self._digests, self._loaded = False, {}, None

    async def status(self, name: str) -> Status:
        """Whether a model of the catalogue can be asked now."""
        there = await self._look_for(name)
        return "cold" if there == "coming" else there

    async def _look_for(self, name: str) -> Status | Literal["coming"]:
        """Its status, or that it has not been there yet but will be."""
        known_as = self._known_as(name)
        coming = self._awaited and known_as not in self._seen
        try:
            installed = await self.installed()
        except DependencyError:
            return "coming" if coming else "down"
        if known_as not in installed:
            return "coming" if coming else "not_installed"
        self._seen.add(known_as)
        return "ready" if self._loaded is None or known_as in self._loaded else "cold"

    def _known_as(self, name: str) -> str:
        return _without_latest(upstream_name(name, self._catalogue.models[name]))

    async def require(self, name: str) -> None:
        """Return when a model can be asked.

        Raises Unavailable `model_unavailable`, or Problem 409 `model_not_installed`.
        """
        match await self._look_for(name):
            case "down":
                raise unavailable()
            case "coming":
                raise Unavailable(
                    f"The model {name!r} is still on its way to its server. Try again in a few "
                    "minutes, or choose another one.",
                    code="model_unavailable",
                )
            case "not_installed":
                raise not_installed(name)
            case "ready" | "cold":
                return

    async def count_tokens(self, text: str) -> int:
        """How many tokens a text is to the model server, or a careful guess.

        llama.cpp and vLLM count at `/tokenize`, beside `/v1`. Others do not; then three bytes
        count as one token, where English has about four.
        """
        key = hashlib.sha256(text.encode()).digest()
        if key in self._counts:
            self._counts.move_to_end(key)
            return self._counts[key]
        count = await self._ask_count(text) if self._can_tokenize else None
        if count is None:
            return -(-len(text.encode()) // 3)
        self._counts[key] = count
        if len(self._counts) > COUNTS_KEPT:
            self._counts.popitem(last=False)
        return count

    async def _ask_count(self, text: str) -> int | None:
        status, body = await self._root.call(
            "POST", "/tokenize", json={"content": text, "prompt": text}
        )
        if status in (404, 405):
            self._can_tokenize = False
        try:
            tokens: Any = json.loads(body)["tokens"]
            return len(tokens) if status == 200 else None
        except (ValueError, KeyError, TypeError):
            return None


def not_installed(name: str) -> Problem:
    """The answer to a question for a model that no server has."""
    return Problem(
        f"The model {name!r} is not installed on the model server. "
        "Choose another one, or ask the operator to install it.",
        status=409,
        code="model_not_installed",
    )


def unavailable() -> Unavailable:
    """The answer while the model server is away."""
    return Unavailable(
        "The model server does not answer at the moment. Try again in a few seconds.",
        code="model_unavailable",
    )
