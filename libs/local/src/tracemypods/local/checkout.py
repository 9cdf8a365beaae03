"""Where things are in this checkout, whose editable installation this module belongs to."""

from __future__ import annotations

import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[5]
"""The repository's root."""

FLEET_TABLE = ROOT / "fleet.toml"
CONFIG = ROOT / "config"
FRONTEND = ROOT / "frontend"
CADDYFILE = ROOT / "deploy" / "gateway" / "Caddyfile"
CHART = ROOT / "deploy" / "helm" / "tracemypods"
THIRD_PARTY_IMAGES = ROOT / "deploy" / "images" / "third-party.toml"
README = ROOT / "README.md"
DEFAULT_DATA = ROOT / ".local"

PROGRAMS = Path(sysconfig.get_path("scripts"))
"""Where the environment keeps the programs that came with packages."""

PYTHON_DIGEST = Path(sysconfig.get_path("data")) / "tracemypods-installed"
"""What scripts/install.py leaves behind: a hash over everything that it has installed."""
