"""What dies is started again; what is killed leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tracemypods.local import state
from tracemypods.local.errors import PartDied
from tracemypods.local.fleet import Fleet
from tracemypods.local.state import ProcessId

from .conftest import MakeFleet, processes_of, still_running

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the next `up` or `down` cleans up"
)


def wait_for_end(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Wait until processes have ended; returns those that have not after a good while."""
    psutil.wait_procs(processes, timeout=20)
    return still_running(processes)


@pytest.mark.parametrize("part", ["redis", "mongo", "mail", "frontend", "gateway"])
def test_a_killed_part_is_restarted_and_counted(make_fleet: MakeFleet, part: str) -> None:
    with make_fleet(part) as fleet:
        before = fleet.part(part)
        fleet.kill(part)
        fleet.wait_until_ready(part, after_restarts=0)
        after = fleet.part(part)
        assert after.restarts == 1
        assert after.pid != before.pid
        assert after.url == before.url


def test_up_restarts_at_once_what_died(make_fleet: MakeFleet) -> None:
    with make_fleet("redis", "frontend") as fleet:
        redis_before = fleet.part("redis").pid
        fleet.kill("frontend")
        fleet.start()
        assert fleet.part("frontend").state == "ready"
        assert fleet.part("redis").pid == redis_before


@pytest.mark.parametrize("part", ["redis", "mongo"])
def test_a_hung_part_is_ended_too(make_fleet: MakeFleet, part: str) -> None:
    fleet = make_fleet(part)
    fleet.start()
    processes = processes_of(fleet)
    fleet.pause(part)
    fleet.stop()
    assert still_running(processes) == []


@linux_only
def test_a_killed_supervisor_leaves_no_process(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("redis", "mongo", "token", "gateway")
    fleet.start()
    processes = processes_of(fleet)
    processes[0].kill()
    assert wait_for_end(processes) == []
    # And it is no hindrance to starting again.
    again = make_fleet("redis", "mongo", "token", "gateway")
    again.start()
    assert again.part("token").state == "ready"


@linux_only
def test_a_killed_supervisor_takes_hung_parts_with_it(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("redis", "frontend")
    fleet.start()
    processes = processes_of(fleet)
    fleet.pause("redis")
    fleet.pause("frontend")
    processes[0].kill()
    assert wait_for_end(processes) == []


def test_a_killed_forkserver_recovers(make_fleet: MakeFleet) -> None:
    with make_fleet("redis", "mongo", "token", "frontend") as fleet:
        current = fleet.state()
        assert current is not None
        assert current.forkserver is not None
        redis_before = fleet.part("redis").pid
        services = [psutil.Process(fleet.part(name).pid) for name in ("token", "frontend")]
        os.kill(current.forkserver.pid, signal.SIGKILL)
        recovered = fleet.wait_until_ready("token", "frontend", after_restarts=0)
        assert recovered.forkserver is not None
        assert recovered.forkserver.pid != current.forkserver.pid
        assert wait_for_end(services) == []
        assert fleet.part("redis").pid == redis_before


def test_what_a_killed_supervisor_left_is_ended_by_the_next_command(make_fleet: MakeFleet) -> None:
    """On Linux nothing is ever left; a process that state.json names stands in for it."""
    with make_fleet("redis") as fleet:
        last = fleet.state()
        assert last is not None
    program = "import signal; signal.pause()"
    with subprocess.Popen([sys.executable, "-c", program]) as left:
        named = ProcessId.of(left.pid)
        last.parts[0].process = ProcessId(named.pid, named.created - 3600)
        state.write(fleet.data, last)
        fleet.stop()
        assert left.poll() is None  # another process, that was given the same number
        last.parts[0].process = named
        state.write(fleet.data, last)
        fleet.stop()
        assert left.wait() == -signal.SIGKILL


@pytest.mark.parametrize("text", ["", "{garbage", "[]", '{"parts": 3}', "null"])
def test_a_spoilt_state_file_is_no_hindrance(make_fleet: MakeFleet, text: str) -> None:
    with make_fleet("redis") as fleet:
        fleet.data.state.write_text(text)
        assert fleet.state() is None
        fleet.start()
        assert fleet.part("redis").state == "ready"
    fleet.data.state.write_text(text)
    fleet.data.ports.write_text(text)
    fleet.data.lock.write_text("12345\n")
    with make_fleet("redis") as fleet:
        assert fleet.part("redis").state == "ready"


def test_a_tied_fleet_ends_with_the_process_that_started_it(data: Path) -> None:
    program = (
        "import signal, sys; from pathlib import Path; from tracemypods.local.fleet import Fleet\n"
        "Fleet(Path(sys.argv[1]), parts=['redis']).start(); print('ready', flush=True)\n"
        "signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(data)], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
        processes = processes_of(Fleet(data, parts=[]))
        starter.kill()
    assert wait_for_end(processes) == []


def test_a_part_that_cannot_start_is_tried_again(data: Path, make_fleet: MakeFleet) -> None:
    """Valkey refuses a damaged file; once that is gone, the back-off's next try succeeds."""
    with make_fleet("redis") as fleet:
        manifest = next((data / "valkey").rglob("*.manifest"))
        right = manifest.read_text()
    manifest.write_text("this is no manifest\n")
    fleet = make_fleet("redis")
    with pytest.raises(PartDied, match="redis did not start"):
        fleet.start()
    manifest.write_text(right)
    fleet.wait_until_ready("redis")
    assert fleet.part("redis").restarts >= 1
