"""Whether public routes answer: the address of the edge (or of a service), then paths.

Any answer of the service itself will do, a refusal too. The edge's own errors and the site's page
for unknown paths say that a route leads nowhere.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

TRIES, PAUSE_SECONDS = int(os.environ.get("TRIES", "10")), 3


def problem(url: str) -> str | None:
    """What is wrong with a route; None for nothing."""
    # Services answer in JSON whatever is accepted; the site shows its page to browsers.
    request = urllib.request.Request(url, headers={"Accept": "text/html"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            status, kind, body = answer.status, answer.headers.get_content_type(), b""
    except urllib.error.HTTPError as error:
        status, kind, body = error.code, error.headers.get_content_type(), error.read(65536)
    except OSError as error:
        return f"no answer: {error}"
    try:
        code = str(json.loads(body).get("code", ""))
    except (ValueError, AttributeError):
        code = ""
    print(f"{url}: {status} {code or kind}")
    nowhere = status == 404 and kind == "text/html"
    return f"{status} {code or kind}" if status >= 500 or nowhere or "gateway_" in code else None


failed = {f"{sys.argv[1]}{path}": "" for path in sys.argv[2:]}
for attempt in range(TRIES):
    failed = {url: found for url in failed if (found := problem(url))}
    if not failed:
        sys.exit(0)
    time.sleep(PAUSE_SECONDS if attempt + 1 < TRIES else 0)
sys.exit("\n".join(f"{url}: {found}" for url, found in failed.items()))
