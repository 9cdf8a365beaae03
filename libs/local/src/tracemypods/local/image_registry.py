"""Ask an image registry which digest a tag has, as the OCI distribution specification says."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlencode

from tracemypods.local.errors import FleetError

_HUB, _HUB_API = "docker.io", "registry-1.docker.io"
"""Docker Hub's API has another name than its images."""
_INDEXES_AND_MANIFESTS = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_SECONDS = 20


def digest_of(repository: str, tag: str) -> str:
    """The digest of a tag: of its index, where there are several platforms.

    Raises FleetError when the registry can't be reached or does not have the tag.
    """
    registry, _, path = repository.partition("/")
    host = _HUB_API if registry == _HUB else registry
    scheme = "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    url = f"{scheme}://{host}/v2/{path}/manifests/{tag}"
    try:
        try:
            digest = _head(url, {})
        except urllib.error.HTTPError as refused:
            if refused.code != 401:
                raise
            challenge = refused.headers.get("WWW-Authenticate", "")
            digest = _head(url, {"Authorization": f"Bearer {_token(challenge)}"})
    except urllib.error.HTTPError as error:
        raise FleetError(
            f"{repository}:{tag}: the registry answered {error.code} {error.reason}"
        ) from None
    except (OSError, HTTPException, ValueError) as error:
        raise FleetError(f"{repository}:{tag}: {registry} can't be reached: {error}") from None
    if not digest:
        raise FleetError(f"{repository}:{tag}: the registry does not tell the digest")
    return digest


def _head(url: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(  # noqa: S310 - the scheme is one of the two above
        url, headers={"Accept": _INDEXES_AND_MANIFESTS, **headers}, method="HEAD"
    )
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        return answer.headers.get("Docker-Content-Digest", "")


def _token(challenge: str) -> str:
    """The token that anybody gets who may read: a registry says in its challenge where."""
    asked = dict(_PARAMETER.findall(challenge))
    realm = asked.pop("realm", "")
    if not realm.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise ValueError("it asks for a login of a kind that is not known here")
    with urllib.request.urlopen(f"{realm}?{urlencode(asked)}", timeout=_SECONDS) as answer:  # noqa: S310
        told = json.load(answer)
    return str(told.get("token") or told.get("access_token") or "")
