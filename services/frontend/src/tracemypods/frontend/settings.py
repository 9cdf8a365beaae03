"""Settings of the frontend service."""

from __future__ import annotations

from pydantic import DirectoryPath, Field
from pydantic_settings import SettingsConfigDict

from tracemypods.kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the frontend service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_FRONTEND_")

    site_dir: DirectoryPath = Field(
        description="Folder that holds the pages in `site` and what they share in `design`"
    )
    packages_dir: DirectoryPath = Field(
        description="Folder of the npm packages that the pages use (`node_modules`)"
    )
