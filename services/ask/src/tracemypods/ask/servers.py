"""Which model server is asked for which model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tracemypods.ask.models import (
    ModelLocked,
    ModelNotFound,
    ModelServer,
    Status,
    not_installed,
)
from tracemypods.contracts.catalogue import Catalogue, ModelEntry, Tier
from tracemypods.kit.settings import SettingsError

VARIABLE = "TRACEMYPODS_MODELS_SERVERS"


class ServerIn(BaseModel):
    """A model server that some models of the catalogue have for themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://")
    models: tuple[str, ...] = Field(min_length=1)
    """Their names in the catalogue."""
    key_file: Path | None = None
    """Where the key is that the server asks for."""

    def api_key(self) -> SecretStr | None:
        """The key. Raises SettingsError where the file has none."""
        if self.key_file is None:
            return None
        try:
            key = self.key_file.read_text().strip()
        except (OSError, UnicodeDecodeError):
            key = ""
        if not key:
            raise SettingsError(f"{VARIABLE}: there is no key in {self.key_file}")
        return SecretStr(key)


def check_models(servers: Mapping[str, ServerIn], catalogue: Catalogue) -> None:
    """Raise SettingsError for a model that is on two servers, or that is not offered."""
    problems: list[str] = []
    seen: dict[str, str] = {}
    for server, one in servers.items():
        for model in one.models:
            if model not in catalogue.models:
                problems.append(
                    f"{VARIABLE}: {server} has {model}, which config/models.toml "
                    "does not name or whose terms were not accepted"
                )
            if model in seen:
                problems.append(f"{VARIABLE}: both {seen[model]} and {server} have {model}")
            seen[model] = server
    if problems:
        raise SettingsError("\n".join(problems))


class ModelServers:
    """All model servers: one for each model in `own`, and the `usual` one for the others."""

    def __init__(
        self, catalogue: Catalogue, usual: ModelServer | None, own: Mapping[str, ModelServer]
    ) -> None:
        self._catalogue = catalogue
        self.usual = usual
        self._own = own

    @property
    def all(self) -> list[ModelServer]:
        """Each server once."""
        servers = [*self._own.values(), *([self.usual] if self.usual else [])]
        return list(dict.fromkeys(servers))

    def entry(self, name: str | None, plan: Tier) -> tuple[str, ModelEntry]:
        """A model of the catalogue by its name; the default one when no name is given.

        Raises ModelNotFound, or ModelLocked when the caller's plan does not cover it.
        """
        name = name or self._catalogue.default
        found = self._catalogue.models.get(name)
        if found is None:
            raise ModelNotFound(name, list(self._catalogue.models))
        if name not in self._catalogue.names_for(plan):
            raise ModelLocked(name)
        return name, found

    def of(self, name: str) -> ModelServer:
        """The server of a model. Raises Problem 409 `model_not_installed` where it has none."""
        server = self._own.get(name, self.usual)
        if server is None:
            raise not_installed(name)
        return server

    def weights(self, name: str) -> str:
        """What tells a model's weights from others under the same name; empty where unknown."""
        server = self._own.get(name, self.usual)
        return server.weights(name) if server else ""

    async def statuses(self) -> dict[str, Status]:
        """Whether each model of the catalogue can be asked now: one look at each server."""
        names = list(self._catalogue.models)
        servers = [self._own.get(name, self.usual) for name in names]
        found = await asyncio.gather(
            *(server.status(name) for name, server in zip(names, servers, strict=True) if server)
        )
        known = iter(found)
        return {
            name: next(known) if server else "not_installed"
            for name, server in zip(names, servers, strict=True)
        }

    async def status(self, name: str) -> Status:
        """Whether a model of the catalogue can be asked now."""
        server = self._own.get(name, self.usual)
        return await server.status(name) if server else "not_installed"

    async def require(self, name: str) -> None:
        """Return when a model can be asked.

        Raises Unavailable `model_unavailable`, or Problem 409 `model_not_installed`.
        """
        await self.of(name).require(name)

    async def close(self) -> None:
        """End what is being asked, and all connections."""
        for server in self.all:
            await server.close()
