"""What each service declares is enough to import it, so that an image made from it starts.

`make test-alone` also runs each service's tests in such an environment, which takes as long as they
do.
"""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from tracemypods.local import checkout, table


@pytest.mark.parametrize("service", list(table.load().services))
def test_a_service_imports_with_its_own_dependencies(service: str, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "test_alone_script", checkout.ROOT / "scripts/test_alone.py"
    )
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    alone = script.Alone(service, tmp_path / "environment")
    try:
        alone.make()
        alone.python("-c", script.IMPORT.format(service))
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{service} declares too little: {error.output}", pytrace=False)
    ours = set(alone.python("-c", script.OURS).split())
    assert f"tracemypods-{service}" in ours
    assert ours <= {
        "tracemypods-coalescing",
        "tracemypods-contracts",
        "tracemypods-events",
        "tracemypods-kit",
        "tracemypods-mail",
        f"tracemypods-{service}",
    }
