"""The settings that every service which reads the catalogue shares."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tracemypods.contracts.catalogue import AcceptedTerms
from tracemypods.kit.settings import ServiceSettings


class CatalogueSettings(ServiceSettings):
    """Where the catalogue lies, and which terms its operator has accepted."""

    config_dir: Path = Field(
        Path("config"),
        validation_alias="TRACEMYPODS_CONFIG_DIR",
        description="Folder of the operators' files, `models.toml` among them",
    )
    accepted_terms: AcceptedTerms = ()
