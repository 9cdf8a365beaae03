"""Whether public routes answer: the address of the edge (or of a service), then paths.

Any answer of the service itself will do, a refusal too; the edge's own say that a route is missing.
"""

import json
import sys
import time
import urllib.error
import urllib.request

TRIES, PAUSE_SECONDS = 10, 3


def problem(url: str) -> str | None:
    """What is wrong with a route; None for nothing."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            status, body = answer.status, b"{}"
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read(65536)
    except OSError as error:
        return f"no answer: {error}"
    try:
        code = str(json.loads(body).get("code", ""))
    except (ValueError, AttributeError):
        code = ""
    print(f"{url}: {status} {code}")
    return f"{status} {code}" if status >= 500 or code.startswith("gateway_") else None


failed = {f"{sys.argv[1]}{path}": "" for path in sys.argv[2:]}
for attempt in range(TRIES):
    failed = {url: found for url in failed if (found := problem(url))}
    if not failed:
        sys.exit(0)
    time.sleep(PAUSE_SECONDS if attempt + 1 < TRIES else 0)
sys.exit("\n".join(f"{url}: {found}" for url, found in failed.items()))
