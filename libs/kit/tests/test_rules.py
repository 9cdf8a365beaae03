"""Rules of the house that nothing else holds."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
KIT = ROOT / "libs/kit/src/tracemypods/kit"
SOURCES = [*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def test_the_kit_stays_small() -> None:
    assert sum(len(path.read_text().splitlines()) for path in KIT.glob("*.py")) < 2050


def test_no_service_imports_the_launcher_or_another_service() -> None:
    services = {path.name for path in (ROOT / "services").iterdir() if path.is_dir()}
    for path in SOURCES:
        area = path.relative_to(ROOT).parts[:2]
        foreign = {"local"} | services if area[0] == "services" else services
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "tracemypods" and len(parts) > 1 and area != ("libs", "local"):
                assert parts[1] == area[1] or parts[1] not in foreign, f"{path} imports {name}"


def test_middleware_is_plain_asgi() -> None:
    """BaseHTTPMiddleware costs more than a whole route and breaks context variables."""
    for path in SOURCES:
        assert "starlette.middleware.base" not in imports(path), path


def test_nothing_happens_at_import() -> None:
    """Modules hold definitions; what runs, runs from a call (a main guard is one)."""
    calls = {"configure", "run", "connect", "create_app", "load"}
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                called = node.value.func
                name = called.id if isinstance(called, ast.Name) else ""
                assert name not in calls, f"{path}:{node.lineno}"
