"""The command `tracemypods`: this checkout's fleet, up and down."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tracemypods.local import (
    checkout,
    follow_logs,
    image_registry,
    keys_command,
    memory,
    models,
    ports,
    request,
    secrets,
    third_party,
    welcome,
)
from tracemypods.local.errors import BadRequest, FleetError
from tracemypods.local.fleet import Fleet
from tracemypods.local.output import complain, say, warn
from tracemypods.local.refund import give_back
from tracemypods.local.render import render
from tracemypods.local.state import FleetState, PartState

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_MEBIBYTE = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except FleetError as error:
        complain(str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        say()
        complain(options.interrupted)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough (`tracemypods logs | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def up(options: argparse.Namespace) -> int:
    """Start what does not run."""
    own_models = os.environ.get(models.URL_VARIABLE)
    if own_models:
        models.require_reachable(own_models)
    asked = os.environ.get("PORT", "").strip()
    fleet = Fleet(
        options.data,
        port=ports.parse(asked) if asked else None,
        environment=request.from_environment(os.environ),
        tied=False,
    )
    running = _running(fleet)
    short = memory.shortage(
        sum(fleet.table.memory_mb(name) for name in fleet.wanted_parts() if name not in running)
    )
    if short:
        warn(short)
    first_start = not secrets.path(fleet.data, secrets.OPERATOR_KEY).exists()
    started = time.monotonic()
    current = fleet.start(_Progress(running))
    if running == {part.name: part.pid for part in current.parts}:
        say("everything runs already, and nothing has changed")
    else:
        say(f"all ready in {time.monotonic() - started:.1f} s")
    say()
    say(welcome.text(current))
    if first_start:
        say()
        say(welcome.operator_key(fleet.secret(secrets.OPERATOR_KEY)))
    return 0


def restart(options: argparse.Namespace) -> int:
    """Stop what runs and start it again, with what it was started with."""
    asked = _fleet(options).running_request()
    fleet = Fleet(
        options.data,
        parts=asked.parts,
        port=asked.port or None,
        environment=asked.environment,
        tied=False,
    )
    started = time.monotonic()
    if options.parts:
        fleet.restart(*options.parts, report=_Progress(_running(fleet)))
    else:
        fleet.stop()
        fleet.start(_Progress({}))
    say(f"all ready in {time.monotonic() - started:.1f} s")
    return 0


def operator_key(options: argparse.Namespace) -> int:
    """Print the key of the operator that `up` has made."""
    fleet = _fleet(options)
    if not secrets.path(fleet.data, secrets.OPERATOR_KEY).exists():
        raise BadRequest("there is no operator key yet: `make up` makes one")
    say(fleet.secret(secrets.OPERATOR_KEY))
    return 0


def refund(options: argparse.Namespace) -> int:
    """Give money back for an order."""
    fleet = _fleet(options)
    if fleet.state() is None:
        raise BadRequest("nothing runs: start it with `make up`")
    key = fleet.secret(secrets.OPERATOR_KEY)
    say(give_back(fleet.url(), key, options.order, options.paise))
    return 0


def down(options: argparse.Namespace) -> int:
    """Stop everything."""
    started = time.monotonic()
    if _fleet(options).stop():
        say(f"stopped in {time.monotonic() - started:.1f} s")
    else:
        say("nothing runs")
    return 0


def status(options: argparse.Namespace) -> int:
    """Show what runs."""
    fleet = _fleet(options)
    current = fleet.state()
    parts = current.parts if current else []
    if options.json:
        say(json.dumps(_document(current), indent=2))
        return 0
    if current is None:
        say("nothing runs: start it with `make up`")
        return 0
    rows = [("part", "state", "pid", "memory", "restarts", "address")]
    rows += [
        (
            part.name,
            part.state,
            str(part.pid or "-"),
            f"{memory.proportional(part.pid) / _MEBIBYTE:.0f} MiB" if part.pid else "-",
            str(part.restarts),
            part.url,
        )
        for part in parts
    ]
    rows += [
        (name, "ready", str(pid), f"{memory.own(pid) / _MEBIBYTE:.0f} MiB", "", "")
        for name, pid in _launcher(current)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for part in parts:
        if part.detail and part.state != "ready":
            say(f"{part.name}: {part.detail}" + "".join(f"\n    {line}" for line in part.log))
    return 0


def show_logs(options: argparse.Namespace) -> int:
    """Print the last lines of logs, and with --follow whatever comes."""
    fleet = _fleet(options)
    known = [*fleet.table.part_names, "forkserver", "supervisor"]
    for name in options.parts:
        if name not in known:
            raise BadRequest(f"there is no log of {name}; there are {', '.join(known)}")
    chosen = {name: fleet.log(name) for name in options.parts or known}
    follow_logs.show(chosen, options.lines, follow=options.follow)
    return 0


def reset(options: argparse.Namespace) -> int:
    """Stop everything and delete the data."""
    fleet = _fleet(options)
    if not fleet.data.root.exists():
        say(f"there is nothing at {fleet.data.root}")
        return 0
    if not options.yes:
        if not sys.stdin.isatty():
            raise BadRequest(
                f"this deletes {fleet.data.root}, tokens and secrets included: add --yes"
            )
        say(f"This stops the fleet and deletes {fleet.data.root}: tokens, secrets, logs.")
        if input("Delete it? [y/N] ").strip().lower() not in ("y", "yes"):
            say("nothing was changed")
            return EXIT_FAILED
    fleet.reset()
    say(f"deleted {fleet.data.root}")
    return 0


def render_files(options: argparse.Namespace) -> int:
    """Write what is rendered from fleet.toml."""
    current = render(options.check, say)
    return EXIT_FAILED if options.check and not current else 0


def pin_images(_options: argparse.Namespace) -> int:
    """Write down the digests of images that are not ours."""
    third_party.pin(image_registry.digest_of, say)
    render(check=False, say=say)
    return 0


class _Progress:
    """Prints each part as it starts and becomes ready."""

    def __init__(self, running: dict[str, int]) -> None:
        self._running = running
        self._started: set[tuple[str, int]] = set()

    def __call__(self, part: PartState) -> None:
        if part.pid is None or self._running.get(part.name) == part.pid:
            return
        if part.state == "ready":
            say(f"  {part.name:<12} ready in {part.seconds or 0.0:.1f} s")
        elif (part.name, part.pid) not in self._started:
            self._started.add((part.name, part.pid))
            say(f"  {part.name:<12} starting")


def _running(fleet: Fleet) -> dict[str, int]:
    """The processes of the parts that run."""
    current = fleet.state()
    return {part.name: part.pid for part in current.parts if part.pid} if current else {}


def _fleet(options: argparse.Namespace) -> Fleet:
    return Fleet(options.data, port=None, tied=False)


def _document(current: FleetState | None) -> dict[str, object]:
    """What `status --json` prints. Memory is proportional set size in bytes."""
    parts = [
        {
            "name": part.name,
            "kind": part.kind,
            "state": part.state,
            "pid": part.pid,
            "url": part.url,
            "memory_bytes": memory.proportional(part.pid) if part.pid else 0,
            "restarts": part.restarts,
        }
        for part in (current.parts if current else ())
    ]
    launcher = [
        {"name": name, "pid": pid, "memory_bytes": memory.own(pid)}
        for name, pid in (_launcher(current) if current else ())
    ]
    return {"parts": parts, "launcher": launcher}


def _launcher(current: FleetState) -> list[tuple[str, int]]:
    """Name and process id of what runs the parts."""
    both = (("supervisor", current.supervisor), ("forkserver", current.forkserver))
    return [(name, process.pid) for name, process in both if process]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tracemypods",
        description="Run the whole fleet on this machine: real servers, no Docker, no root.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=checkout.DEFAULT_DATA,
        metavar="FOLDER",
        help="where the fleet keeps data, secrets and logs (.local in this checkout)",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, run: Callable[[argparse.Namespace], int], short: str, long: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=short, description=long)
        command.set_defaults(run=run, interrupted="interrupted")
        return command

    add(
        "up",
        up,
        "start what does not run, or has changed since",
        "Start every part that does not run or has changed since it was started, and return "
        "when all are ready. PORT=9000 in the environment moves the gateway; TRACEMYPODS_* "
        "variables are passed on, and TRACEMYPODS_MODELS_URL replaces the embedded model server.",
    ).set_defaults(
        interrupted="interrupted: the fleet goes on starting; see `make status`, or stop it with "
        "`make down`"
    )
    add(
        "restart",
        restart,
        "stop parts and start them again",
        "Stop parts (everything, when none is named) and start them again as they were started: "
        "with the same ports and settings, and today's code.",
    ).add_argument("parts", nargs="*", metavar="PART", help="only these parts (all)")
    add("down", down, "stop everything", "Stop everything; data stays for the next `up`.")
    add(
        "status",
        status,
        "show what runs, where, and how much memory it takes",
        "Show each part: state, process, memory (proportional set size: shared pages count "
        "once), restarts since it was last started by hand, address.",
    ).add_argument("--json", action="store_true", help="for programs")
    log = add("logs", show_logs, "show the parts' logs", "Show the last lines of the parts' logs.")
    log.add_argument("parts", nargs="*", metavar="PART", help="only these parts (all)")
    log.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    log.add_argument(
        "-n", "--lines", type=int, default=20, help="how many lines of each part (%(default)s)"
    )
    add(
        "operator-key",
        operator_key,
        "print the operator key that `up` has made",
        "Print the key of the operator called local, who may do everything. Services know its "
        "hash only; those of other operators are lines of secrets/tracemypods_operator_keys.",
    )
    back = add(
        "refund",
        refund,
        "give money back for an order",
        "Give back what was paid for an order, or a part of it. All of it ends the token. "
        "Repeating the command is the same refund; for another part of the same size use "
        "POST /api/orders/{id}/refunds with another Idempotency-Key.",
    )
    back.add_argument("order", metavar="ORDER", help="its id, such as ord_0199c0de…")
    back.add_argument("--paise", type=int, metavar="N", help="a part, in paise (all that is left)")
    keys_command.add_options(
        add("keys", keys_command.run, "make the keys of a cluster", keys_command.DESCRIPTION)
    )
    add(
        "reset",
        reset,
        "stop everything and delete its data and secrets",
        "Stop everything and delete the data folder: tokens, secrets, logs.",
    ).add_argument("--yes", action="store_true", help="do not ask")
    add(
        "render",
        render_files,
        "render what repeats fleet.toml",
        "Render the gateway's configuration and the table in README.md from fleet.toml.",
    ).add_argument("--check", action="store_true", help="change nothing; fail when not current")
    add(
        "pin-images",
        pin_images,
        "write down the digests of images that are not ours",
        "Ask the registries of all images in deploy/images/third-party.toml which digest each tag "
        "has, and write it there. Nothing is written when one of them can't be reached.",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
