"""Images that are not ours: which there are, and under which digest each is known.

`deploy/images/third-party.toml` names them by tag; `tracemypods pin-images` asks their registries
for the digests and writes them there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracemypods.local import checkout
from tracemypods.local.errors import FleetError

FILE = checkout.IMAGES / "third-party.toml"
BASE = "python"
"""The one that our own images begin with."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MOVING = ("latest", "main", "edge")


@dataclass(frozen=True)
class Image:
    """One image. Its repository begins with its registry; an empty digest was not filled yet."""

    name: str
    repository: str
    tag: str
    digest: str
    use: str

    @property
    def reference(self) -> str:
        """What is pulled: by digest where that is known, and then whatever the tag is now."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


def load(path: Path = FILE) -> Mapping[str, Image]:
    """All images by their names. Raises FleetError for one that has no such name, tag or digest."""
    try:
        raw = tomllib.loads(path.read_text())
        images = {name: _image(name, entry) for name, entry in raw.items()}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FleetError(f"{path.name} can't be read: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise FleetError(f"{path.name} lacks a value or has a wrong one: {error!r}") from None
    for image in images.values():
        if not _REPOSITORY.fullmatch(image.repository):
            raise FleetError(f"{path.name}: {image.name}: {image.repository} is no repository")
        if not _TAG.fullmatch(image.tag) or image.tag in _MOVING:
            raise FleetError(f"{path.name}: {image.name}: {image.tag or 'nothing'} pins no version")
        if image.digest and not _DIGEST.fullmatch(image.digest):
            raise FleetError(f"{path.name}: {image.name}: {image.digest} is no digest")
    return images


def pin(
    digest_of: Callable[[str, str], str], say: Callable[[str], None], path: Path = FILE
) -> None:
    """Ask for the digest of each image's tag and write those that changed into the file.

    `digest_of` takes a repository and a tag. Nothing is written when it raises.
    """
    images = load(path)
    found = {image.name: digest_of(image.repository, image.tag) for image in images.values()}
    text = path.read_text()
    for name, digest in found.items():
        if digest == images[name].digest:
            continue
        text = _with_digest(text, name, digest)
        say(f"  {name}: {images[name].tag} is {digest}")
    path.write_text(text)


def _image(name: str, entry: Mapping[str, Any]) -> Image:
    return Image(
        name,
        str(entry["repository"]),
        str(entry["tag"]),
        str(entry["digest"]),
        str(entry["use"]),
    )


def _with_digest(text: str, name: str, digest: str) -> str:
    """The file with one image's digest, and all else as it was."""
    before, header, table = text.partition(f"[{name}]\n")
    return before + header + re.sub(r'(?m)^digest = ".*"$', f'digest = "{digest}"', table, count=1)
