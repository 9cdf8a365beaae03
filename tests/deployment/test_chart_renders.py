"""The chart renders, and says where everything is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from rendered_chart import CASES, RELEASE, render

from tracemypods.local import table

FLEET = table.load()


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_every_service_is_there_under_its_own_account(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    for name in FLEET.services:
        pod = rendered.find("Deployment", name)["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == f"{RELEASE}-{name}"
        assert rendered.find("ServiceAccount", name)["automountServiceAccountToken"] is False
        assert rendered.find("Service", name)["spec"]["ports"][0]["port"] == 8000


def test_two_releases_share_no_name() -> None:
    values = CASES["demo"]
    first, second = render(values), render(values, "another")
    names = [
        {(one["kind"], one["metadata"]["name"]) for one in rendered.objects}
        for rendered in (first, second)
    ]
    assert len(names[0]) == len(names[1]) == len(first.objects)
    assert not names[0] & names[1]


def test_notes_say_where_the_site_is() -> None:
    for values in CASES.values():
        assert f"{values['publicUrl']}/api/ask" in render(values).notes
    assert f"port-forward service/{RELEASE}-gateway 8080" in render(CASES["demo"]).notes
    assert "dev-only-operator" in render(CASES["demo"]).notes
    assert "dev-only" not in render(CASES["production"]).notes
