"""What `up` says when all is ready: where things are, and a line that tries them."""

from __future__ import annotations

from tracemypods.local import checkout
from tracemypods.local.state import FleetState
from tracemypods.local.table import GATEWAY

_CHAT = checkout.FRONTEND / "site" / "chat.html"


def text(current: FleetState) -> str:
    """The addresses of what is there."""
    gateway = current.part(GATEWAY)
    if gateway is None:
        return "everything is ready"
    site = gateway.url
    lines: list[str] = []
    if current.part("frontend"):
        lines.append(f"  site   {site}/")
        if _CHAT.is_file():
            lines.append(f"  chat   {site}/chat.html")
    if current.part("mail"):
        lines.append(f"  mail   {site}/local/inbox/")
    if current.part("ask") and current.part("token"):
        lines += ["", "  or from a terminal:", "", *(f"  {line}" for line in curl(site))]
    return "\n".join(lines)


def operator_key(key: str) -> str:
    """The operator key, said once."""
    return (
        f"  operator key   {key}\n"
        "  It may do everything. `.venv/bin/tracemypods operator-key` shows it again."
    )


def curl(site: str) -> list[str]:
    """Shell lines that take a free token and stream an answer, with nothing but curl and sed."""
    token = f'curl -sS -X POST {site}/api/token | sed \'s/.*"token": *"\\([^"]*\\)".*/\\1/\''
    return [
        f"curl -sSN {site}/api/ask -H 'Content-Type: application/json' \\",
        f'  -H "Authorization: Bearer $({token})" \\',
        """  -d '{"prompt": "What is gravity?", "stream": true}'""",
    ]
