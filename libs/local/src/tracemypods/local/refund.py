"""`tracemypods refund`: give money back for an order of the fleet that runs here."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from urllib.parse import quote

from tracemypods.local.errors import FleetError

TIMEOUT_SECONDS = 30


def give_back(site: str, operator_key: str, order_id: str, paise: int | None) -> str:
    """Have order give back a part, or all that is left; returns what to tell the operator.

    The same order and amount are the same refund, however often this is called. Raises FleetError
    with what the service says against it.
    """
    body = {} if paise is None else {"amount": paise}
    request = urllib.request.Request(  # noqa: S310 - the gateway's own address
        f"{site}/api/orders/{quote(order_id, safe='')}/refunds",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {operator_key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"command-{'all' if paise is None else paise}",
        },
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            made = json.load(answer)
    except urllib.error.HTTPError as error:
        raise FleetError(f"no refund: {_detail(error)}") from None
    except OSError as error:
        raise FleetError(f"no refund: the gateway at {site} does not answer: {error}") from None
    return f"{made['refund_id']}: {made['amount']} paise, {made['state']}"


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered {error.code}"
