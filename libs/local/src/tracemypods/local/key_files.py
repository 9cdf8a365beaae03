"""Keys as Kubernetes Secrets in YAML: one for each service and each server, one file for each.

A service's Secret is called `<release>-<service>`, and its entries as the files in which services
look for secrets, so that it can be mounted as it is. Values are in base64, as Kubernetes has them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tracemypods.local.data_directory import PRIVATE_FOLDER, unwritable, write_whole
from tracemypods.local.errors import BadRequest, FleetError
from tracemypods.local.keys import Keys, Values
from tracemypods.local.table import Table

PREFIX = "tracemypods_"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
_LINE = re.compile(r'(?P<in>(  ){0,2})(?P<name>[A-Za-z0-9_./-]+):( (?P<value>"[^"\\]*"|[^"\s]+))?')


@dataclass(frozen=True)
class Place:
    """Which release the Secrets are of, and in which namespace; that of kubectl when None."""

    release: str = "tracemypods"
    namespace: str | None = None

    def __post_init__(self) -> None:
        for name in (self.release, self.namespace or "x"):
            if not _NAME.fullmatch(name):
                raise BadRequest(f"{name!r} is no name that Kubernetes takes")


def documents(keys: Keys, place: Place) -> dict[str, str]:
    """A YAML document for each service and server, by its name."""
    return {name: _secret(name, values, place) for name, values in entries(keys).items()}


def entries(keys: Keys) -> dict[str, dict[str, str]]:
    """What is in each Secret, by its service's or server's name, not yet in base64.

    A service without keys has no Secret.
    """
    services = {
        name: {f"{PREFIX}{key}": value for key, value in values.items()}
        for name, values in keys.services.items()
        if values
    }
    return {**services, **{name: dict(values) for name, values in keys.servers.items()}}


def write(folder: Path, texts: Mapping[str, str], *, replace_files: bool = False) -> list[Path]:
    """Write those documents that are not there as they are; returns the files written.

    All are private to their owner. Raises BadRequest for a file that is there already, unless it
    may be replaced, before anything is written; Unwritable.
    """
    files = {folder / f"{name}.yaml": text for name, text in texts.items()}
    if not replace_files:
        for file in files:
            if file.exists():
                raise BadRequest(
                    f"{file} is there already and is not overwritten: its keys may be in use. Take "
                    "another folder, or add what it lacks with --add"
                )
    try:
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        folder.chmod(PRIVATE_FOLDER)
        changed = [
            file for file, text in files.items() if not file.is_file() or file.read_text() != text
        ]
    except OSError as error:
        raise unwritable(folder, error) from None
    for file in changed:
        write_whole(file, files[file])
    return changed


def read(folder: Path, table: Table) -> tuple[Keys, Place]:
    """The keys that `write` has left in a folder, and whose they are.

    Raises FleetError for a file that it can't have written, and where there are none.
    """
    services: dict[str, Values] = {}
    servers: dict[str, Values] = {}
    places: dict[Place, Path] = {}
    for file in sorted(folder.glob("*.yaml")):
        component, place, values = _read_secret(file)
        places[place] = file
        if component in table.ours:
            services[component] = {
                name.removeprefix(PREFIX): value for name, value in values.items()
            }
        else:
            servers[component] = values
    if len(places) != 1:
        which = " and ".join(str(file) for file in places.values()) or f"nothing in {folder}"
        raise FleetError(f"one release's Secrets are needed, and there is {which}")
    return Keys(services, servers), next(iter(places))


def agree(place: Place, release: str | None, namespace: str | None) -> Place:
    """The place of what is there, which must be the one that is asked for, if one is.

    Raises BadRequest.
    """
    asked = replace(place, release=release or place.release, namespace=namespace or place.namespace)
    if asked != place:
        raise BadRequest(f"the folder's Secrets are of {place.release} in {place.namespace}")
    return place


def stream(texts: Iterable[str]) -> str:
    """Several documents as one text."""
    return "---\n".join(texts)


def _secret(component: str, values: Values, place: Place) -> str:
    namespace = f"  namespace: {place.namespace}\n" if place.namespace else ""
    data = "".join(
        f'  {name}: "{base64.b64encode(value.encode()).decode()}"\n'
        for name, value in sorted(values.items())
    )
    return f"""\
apiVersion: v1
kind: Secret
metadata:
  name: {place.release}-{component}
{namespace}  labels:
    app.kubernetes.io/part-of: tracemypods
    app.kubernetes.io/instance: {place.release}
    app.kubernetes.io/component: {component}
type: Opaque
data:
{data}"""


def _read_secret(file: Path) -> tuple[str, Place, dict[str, str]]:
    """Its component, its place and its values."""
    found: dict[tuple[str, ...], str] = {}
    path: list[str] = []
    try:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            matched = _LINE.fullmatch(line.rstrip())
            if matched is None:
                raise FleetError(f"{file}, line {number}: not as `tracemypods keys` writes it")
            path = [*path[: len(matched["in"]) // 2], matched["name"]]
            found[tuple(path)] = (matched["value"] or "").strip('"')
        if found["apiVersion",] != "v1" or found["kind",] != "Secret":
            raise ValueError("not a Secret")
        values = {
            path[1]: base64.b64decode(value, validate=True).decode()
            for path, value in found.items()
            if path[0] == "data" and len(path) > 1
        }
        labels = ("metadata", "labels", "app.kubernetes.io/")
        place = Place(
            found[*labels[:2], f"{labels[2]}instance"], found.get(("metadata", "namespace"))
        )
        return found[*labels[:2], f"{labels[2]}component"], place, values
    except OSError as error:
        raise FleetError(f"{file} can't be read: {error.strerror}") from None
    except (KeyError, ValueError, binascii.Error):
        raise FleetError(f"{file} is no Secret as `tracemypods keys` writes it") from None
