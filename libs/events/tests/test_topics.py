"""The command that makes topics."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tracemypods.events import topics

from .conftest import Broker, World


def test_topics_are_made_once_and_another_number_of_partitions_is_said(world: World) -> None:
    def make(partitions: int) -> tuple[bool, list[str]]:
        said: list[str] = []
        topic = replace(world.topic, partitions=partitions)
        done = world.loop.run(topics.make(world.settings(), 1, said.append, [topic]))
        return done, said

    name = world.topic.name
    if not world.broker.keeps:
        assert make(3) == (True, [make(3)[1][0]])
        assert "takes no orders for topics" in make(3)[1][0]
        return
    assert make(4) == (True, [f"{name}: there already", f"{name}.dlt: there already"])
    done, said = make(3)
    assert not done
    assert said[0] == f"{name}: there already, with 4 partitions instead of 3"


def test_the_command(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACEMYPODS_KAFKA_URL", broker.url)
    assert topics.main([]) == 0
    assert topics.main(["--replication", "1"]) == 0
    monkeypatch.setenv("TRACEMYPODS_KAFKA_URL", "kafka://127.0.0.1:1")
    assert topics.main([]) == 1
    assert "does not answer" in capsys.readouterr().err
    monkeypatch.setenv("TRACEMYPODS_KAFKA_URL", "nonsense")
    assert topics.main([]) == 78
