"""The token check as one writes it first: FastAPI, redis-py, one connection checkout a command."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel
from redis.asyncio import Redis

from tracemypods.contracts.tokens import CHECKSUM_LENGTH, base62

CHECKSUM_KEY = os.environ["CHECKSUM_KEY"].encode()
HASH_KEY = os.environ["HASH_KEY"].encode()
REST: dict[str, Any] = json.loads(os.environ["REST"])

app = FastAPI()
redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
    os.environ["REDIS_URL"], password=os.environ["REDIS_PASSWORD"], decode_responses=True
)


class TokenInfo(BaseModel):
    """What a token gives access to."""

    plan: str
    issued_at: datetime
    expires_at: datetime
    models: list[str]
    limits: dict[str, int]


@app.get("/api/token")
async def show_token(authorization: Annotated[str, Header()]) -> TokenInfo:
    """Tell what the caller's token gives access to."""
    token = authorization.removeprefix("Bearer ")
    body, checksum = token[:-CHECKSUM_LENGTH], token[-CHECKSUM_LENGTH:]
    expected = base62(hmac.digest(CHECKSUM_KEY, body.encode(), hashlib.sha256), CHECKSUM_LENGTH)
    if not hmac.compare_digest(checksum.encode(), expected.encode()):
        raise HTTPException(401, "malformed")
    digest = hmac.digest(HASH_KEY, token.encode(), hashlib.sha256)
    token_hash = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    stored, gone = await redis.mget([f"token:record:{token_hash}", f"token:gone:{token_hash}"])
    if gone is not None:
        raise HTTPException(401, "revoked")
    record: dict[str, Any] | None = json.loads(stored) if stored else None
    if record is None or datetime.fromisoformat(record["expires_at"]) <= datetime.now(UTC):
        raise HTTPException(401, "expired")
    return TokenInfo(**record, **REST[record["plan"]])


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools", log_config=None)
