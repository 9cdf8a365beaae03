"""Settings of the frontend service."""

from __future__ import annotations

from pathlib import Path

from pydantic import DirectoryPath, Field
from pydantic_settings import SettingsConfigDict

from tracemypods.kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the frontend service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_FRONTEND_")

    config_dir: Path = Field(
        Path("config"),
        validation_alias="TRACEMYPODS_CONFIG_DIR",
        description="Folder of the operators' files, `seller.toml` among them",
    )
    site_dir: DirectoryPath = Field(
        description="Folder that holds the pages in `site` and `seller`, and what they share in "
        "`design`"
    )
    packages_dir: DirectoryPath = Field(
        description="Folder of the npm packages that the pages use (`node_modules`)"
    )
