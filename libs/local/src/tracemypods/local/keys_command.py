"""The command `tracemypods keys`: a cluster's keys as Kubernetes Secrets."""

from __future__ import annotations

import argparse
from pathlib import Path

from tracemypods.local import table
from tracemypods.local.errors import BadRequest, FleetError
from tracemypods.local.output import say, tell, warn

DESCRIPTION = """\
Make the keys of a cluster: a Kubernetes Secret for each service, and one for each server with its
users and what each may do. They are printed as YAML, or written into a folder as files that only
their owner can read. The key of the first operator is printed on standard error, once: services
know its hash only."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--release", metavar="NAME", help="Helm's name of the release (tracemypods)"
    )
    parser.add_argument("--namespace", metavar="NAME", help="the namespace (kubectl's)")
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write files there, and overwrite none"
    )
    place.add_argument(
        "--add",
        type=Path,
        metavar="FOLDER",
        help="make what the files in a folder lack, such as a new service's; what is there stays",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="SERVICE",
        help="only this service's; may be repeated",
    )
    parser.add_argument(
        "--given",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a key that somebody else has made, such as razorpay_key_secret; may be repeated",
    )
    parser.add_argument(
        "--rotate",
        action="append",
        default=[],
        metavar="NAME",
        help="with --add: make this key anew, such as edge_order_token; may be repeated",
    )
    parser.add_argument(
        "--operator",
        metavar="NAME",
        help="what the operator is called (first); with --add, one more operator",
    )
    parser.add_argument(
        "--withdraw",
        action="append",
        default=[],
        metavar="NAME",
        help="with --add: let no service know this operator any more",
    )
    parser.add_argument(
        "--sandboxes",
        action="store_true",
        help="for a cluster in demo mode: sandboxes have keys, too, and Razorpay's are made",
    )


def run(options: argparse.Namespace) -> int:
    """Make what is asked for."""
    # They take a moment to be read, which the other commands need not wait for.
    from tracemypods.local import key_files, keys

    fleet = table.load()
    known: keys.Keys | None = None
    if options.add:
        known, there = key_files.read(options.add, fleet)
        place = key_files.agree(there, options.release, options.namespace)
    else:
        place = key_files.Place(options.release or "tracemypods", options.namespace)
    if (options.rotate or options.withdraw) and known is None:
        raise BadRequest("this needs --add: the folder with the keys that there are")
    operator = options.operator or (None if known else "first")
    made = keys.make(
        fleet,
        keys.random_value,
        (lambda: keys.random_operator(operator)) if operator else None,
        known=known,
        given=_given(options.given),
        rotate=options.rotate,
        withdraw=options.withdraw,
        only=options.only,
        sandboxes=options.sandboxes,
    )
    texts = key_files.documents(made, place)
    folder: Path | None = options.add or options.out
    if folder is None:
        say(key_files.stream(texts.values()).rstrip("\n"))
    else:
        written = key_files.write(folder, texts, replace_files=known is not None)
        say("\n".join(f"wrote {file}" for file in written) or "nothing was missing")
    for service, name in made.missing:
        warn(f"{service} lacks {name}, which others make: give it with --given {name}=FILE")
    if options.only and known is None:
        warn("the servers' users are left out: they are made of all services' passwords")
    if made.operator_key:
        tell(f"the key of the operator {operator}, which is shown only now: {made.operator_key}")
    return 0


def _given(options: list[str]) -> dict[str, str]:
    """Values by name. Raises BadRequest, FleetError."""
    found: dict[str, str] = {}
    for option in options:
        name, separator, path = option.partition("=")
        if not separator or not path:
            raise BadRequest(f"{option!r} is not NAME=FILE")
        try:
            found[name] = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise FleetError(f"{path} can't be read: {error}") from None
        if not found[name]:
            raise BadRequest(f"{path} is empty")
    return found
