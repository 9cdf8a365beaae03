"""Words that turn a question into another one when they are exchanged."""

from __future__ import annotations

_PAIRS = """
enable disable|activate deactivate|open close|largest smallest|biggest smallest|big small
large small|increase decrease|raise lower|encrypt decrypt|mount unmount|login logout
maximum minimum|max min|ascending descending|advantage disadvantage|benefit drawback|benefit risk
up down|slow fast|slower faster|upload download|compress decompress|zip unzip|healthy unhealthy
lock unlock|synchronous asynchronous|subscribe unsubscribe|first last|start stop|start end
mutable immutable|cordon uncordon|heat cool|gain lose|import export|cheap expensive
cheapest expensive|show hide|hottest coldest|hot cold|add remove|pause resume|internal external
accept reject|encode decode|public private|rise set|upper lower|create delete|positive negative
stage unstage|inbound outbound|ingress egress|freeze thaw|before after|inside outside|with without
include exclude|all none|always never|more less|most least|higher lower|high low|long short
left right|push pull|attach detach|connect disconnect|install uninstall|allow deny|allow forbid
pass fail|win lose|buy sell|lend borrow|send receive|save discard|true false|safe unsafe
safe dangerous|stateful stateless|early late|old new|old young|hard soft|hard easy|wet dry
visible invisible|valid invalid|legal illegal|possible impossible|known unknown|same different
single multiple|local remote|online offline|free paid|static dynamic|strong weak|rich poor
light dark|light heavy|best worst|better worse|good bad|major minor|even odd|plural singular
above below|over under|north south|east west|add subtract|multiply divide|success failure
expand collapse|merge split|sync unsync|load unload|grant revoke|block unblock|follow unfollow
mute unmute|hide unhide|register unregister|wrap unwrap|pack unpack|schedule unschedule
"""
PAIRS = frozenset(
    frozenset(pair.split()) for line in _PAIRS.strip().splitlines() for pair in line.split("|")
)
_PREFIXES = ("un", "dis", "non", "in", "im", "ir", "il", "de", "a", "anti")


def opposite(one: str, other: str) -> bool:
    """Whether two words are opposites, by the table or by a prefix."""
    if frozenset((one, other)) in PAIRS:
        return True
    short, long = sorted((one, other), key=len)
    return len(short) > 2 and any(long == prefix + short for prefix in _PREFIXES)
