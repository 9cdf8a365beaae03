"""Where things are in this checkout, whose editable installation this module belongs to."""

from __future__ import annotations

import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[5]
"""The repository's root."""

FLEET_TABLE = ROOT / "fleet.toml"
WORKSPACE = ROOT / "pyproject.toml"
CONFIG = ROOT / "config"
FRONTEND = ROOT / "frontend"
CADDYFILE = ROOT / "deploy" / "gateway" / "Caddyfile"
CHART = ROOT / "deploy" / "helm" / "tracemypods"
IMAGES = ROOT / "deploy" / "images"
BAKE = ROOT / "docker-bake.hcl"
README = ROOT / "README.md"
DEFAULT_DATA = ROOT / ".local"

PROGRAMS = Path(sysconfig.get_path("scripts"))
"""Where the environment keeps the programs that came with packages."""

PYTHON_DIGEST = Path(sysconfig.get_path("data")) / "tracemypods-installed"
"""What scripts/install.py leaves behind: a hash over everything that it has installed."""
