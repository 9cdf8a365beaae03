// POST /v1/chat/completions as Express 5 and ioredis answer it out of a cache of whole answers: the
// same checks of token and body as ours, the same look for personal data, a key over the same
// things, the same count of the token's requests. What is not cached comes from the model server.
import { createHash } from "node:crypto";
import express from "express";
import Redis from "ioredis";
import { checked } from "./chat_request.js";
import { hasPersonalData } from "./personal_data.js";
import {
  bearerToken,
  hashOf,
  isToken,
  lookupKeys,
  newId,
  refuse,
  setCommonHeaders,
  validRecord,
} from "./tokens.js";

const VERSION = 1;
const KEPT_SECONDS = 3600;
const REQUESTS_PER_MINUTE = 1_000_000;
const DEFAULT_TOKENS = 512;
const MOST_TOKENS = 1024;
const MAX_TEMPERATURE = 1;

const { PORT, REDIS_URL, REDIS_PASSWORD, UPSTREAM, MODEL } = process.env;
const redis = new Redis(REDIS_URL, { password: REDIS_PASSWORD, enableAutoPipelining: true });
redis.defineCommand("countRequest", {
  numberOfKeys: 1,
  lua: `
    local count = redis.call('INCR', KEYS[1])
    if count == 1 then redis.call('EXPIRE', KEYS[1], 60) end
    return {count, redis.call('TTL', KEYS[1])}
  `,
});

const normalised = (text) => text.normalize("NFC").replaceAll("\r\n", "\n").trim();

// The scope is the token, by its hash, so that everything is read in one round trip.
function cacheKey(question, hash) {
  const parts = [
    VERSION,
    hash,
    question.model,
    question.answerTokens,
    question.options.sort(),
    question.messages.map(([role, content]) => [role, normalised(content)]),
  ];
  return `express:answer:${createHash("sha256").update(JSON.stringify(parts)).digest("hex")}`;
}

function cacheable(question) {
  const temperature = question.options.find(([name]) => name === "temperature");
  return (
    (temperature === undefined || temperature[1] <= MAX_TEMPERATURE) &&
    !question.messages.some(([, content]) => hasPersonalData(content))
  );
}

async function ask(question) {
  const answer = await fetch(`${UPSTREAM}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...Object.fromEntries(question.options),
      model: question.model,
      max_tokens: question.answerTokens,
      messages: question.messages.map(([role, content]) => ({ role, content })),
    }),
  });
  const { choices, usage } = await answer.json();
  const { message, finish_reason } = choices[0];
  return { text: message.content, finish_reason, usage, stored_at: Date.now() / 1000 };
}

const app = express();
app.disable("x-powered-by");
app.disable("etag"); // ours sends none, and it costs

app.post("/v1/chat/completions", express.json({ limit: "1mb" }), async (request, response) => {
  const id = newId();
  setCommonHeaders(response, id);
  const token = bearerToken(request);
  if (!token) return refuse(response, 401, "token_missing");
  if (!isToken(token)) return refuse(response, 401, "token_malformed");
  const question = checked(request.body, DEFAULT_TOKENS, MOST_TOKENS);
  if (question === null) return refuse(response, 422, "invalid_request");
  if (question.model !== MODEL) return refuse(response, 404, "model_unknown");
  const hash = hashOf(token);
  const kept = cacheable(question);
  const key = kept ? cacheKey(question, hash) : null;
  const [[stored, gone], [count, reset], found] = await Promise.all([
    redis.mget(...lookupKeys(hash)),
    redis.countRequest(`express:requests:${hash}`),
    kept ? redis.get(key) : null,
  ]);
  if (gone !== null) return refuse(response, 401, "token_revoked");
  if (validRecord(stored) === null) return refuse(response, 401, "token_expired");
  response.set({
    "RateLimit-Limit": String(REQUESTS_PER_MINUTE),
    "RateLimit-Remaining": String(Math.max(0, REQUESTS_PER_MINUTE - count)),
    "RateLimit-Reset": String(reset),
  });
  if (count > REQUESTS_PER_MINUTE) return refuse(response, 429, "rate_limited");
  let answer = found === null ? null : JSON.parse(found);
  if (answer !== null) {
    const age = Math.max(0, Math.floor(Date.now() / 1000 - answer.stored_at));
    response.set({ "X-Cache": "exact", Age: String(age) });
  } else {
    answer = await ask(question);
    if (kept) await redis.set(key, JSON.stringify(answer), "EX", KEPT_SECONDS);
    response.set("X-Cache", kept ? "miss" : "bypass");
  }
  return response.json({
    id: `chatcmpl-${id}`,
    created: Math.floor(Date.now() / 1000),
    model: question.model,
    system_fingerprint: null,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: answer.text, refusal: null },
        logprobs: null,
        finish_reason: answer.finish_reason,
      },
    ],
    usage: answer.usage,
  });
});

app.listen(Number(PORT), "127.0.0.1");
