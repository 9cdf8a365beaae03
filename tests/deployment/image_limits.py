"""How large images of ours may be: what is above the base that they begin with."""

from __future__ import annotations

MEGABYTE = 1_000_000
LIMIT_MB = 110
LARGER_MB = {
    "deliver": 270,
    "embedding": 270,
    # The official client of Qdrant takes NumPy and gRPC.
    "vector": 175,
}
