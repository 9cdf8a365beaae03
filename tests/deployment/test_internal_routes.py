"""What services say about their internal routes is what fleet.toml says."""

from __future__ import annotations

import httpx2
import pytest

from tracemypods.local import table
from tracemypods.local.fleet import Fleet

FLEET = table.load()


@pytest.mark.parametrize("service", list(FLEET.services))
def test_internal_routes_open_to_those_whom_the_table_names(fleet: Fleet, service: str) -> None:
    paths = httpx2.get(f"{fleet.url(service)}/openapi.json").json()["paths"]
    found = {
        path: {
            scheme for method in methods.values() for one in method["security"] for scheme in one
        }
        for path, methods in paths.items()
        if any(f"{path}/".startswith(f"{inside}/") for inside in ("/internal", *FLEET.inside))
    }
    assert found == {
        path: {f"calls_from_{'_or_'.join(callers)}"}
        for path, callers in FLEET.services[service].internal.items()
    }


@pytest.mark.parametrize(("caller", "callee"), FLEET.edges)
def test_a_key_opens_the_routes_of_its_edge_only(fleet: Fleet, caller: str, callee: str) -> None:
    key = fleet.secret(f"edge_{caller}_{callee}")
    for service in FLEET.services.values():
        for path, callers in service.internal.items():
            url, headers = f"{fleet.url(service.name)}{path}", {"Authorization": f"Bearer {key}"}
            answer = httpx2.post(url, headers=headers)
            if answer.status_code == 405:
                answer = httpx2.get(url, headers=headers)
            allowed = service.name == callee and caller in callers
            assert (answer.status_code != 403) is allowed, path
            assert answer.status_code != 401
