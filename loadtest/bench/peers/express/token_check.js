// GET /api/token as Express 5 and ioredis answer it: the same checks on the same records.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import express from "express";
import Redis from "ioredis";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_LENGTH = 32;
const CHECKSUM_LENGTH = 6;
const CHECKSUMS = BigInt(ALPHABET.length) ** BigInt(CHECKSUM_LENGTH);

const { PORT, REDIS_URL, REDIS_PASSWORD, CHECKSUM_KEY, HASH_KEY, REST } = process.env;
const rest = JSON.parse(REST); // models and limits of each plan
const redis = new Redis(REDIS_URL, { password: REDIS_PASSWORD, enableAutoPipelining: true });

function checksum(body) {
  const digest = createHmac("sha256", CHECKSUM_KEY).update(body).digest("hex");
  let number = Number(BigInt(`0x${digest}`) % CHECKSUMS);
  let characters = "";
  for (let index = 0; index < CHECKSUM_LENGTH; index += 1) {
    characters += ALPHABET[number % ALPHABET.length];
    number = Math.floor(number / ALPHABET.length);
  }
  return characters;
}

function isToken(token) {
  const prefix = token.startsWith("tmpods_premium_") ? "tmpods_premium_" : "tmpods_free_";
  const length = prefix.length + SECRET_LENGTH + CHECKSUM_LENGTH;
  if (!token.startsWith(prefix) || token.length !== length) return false;
  const given = Buffer.from(token.slice(-CHECKSUM_LENGTH));
  const expected = Buffer.from(checksum(token.slice(0, -CHECKSUM_LENGTH)));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function refuse(response, code) {
  response
    .status(401)
    .set("WWW-Authenticate", "Bearer")
    .type("application/problem+json")
    .send(JSON.stringify({ type: "about:blank", title: "Unauthorized", status: 401, code }));
}

const app = express();
app.disable("x-powered-by");
app.disable("etag"); // ours sends none, and it costs

app.get("/api/token", async (request, response) => {
  response.set({
    "X-Request-Id": `req_${randomUUID().replaceAll("-", "")}`,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
  });
  const [scheme, token] = (request.get("authorization") ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) return refuse(response, "token_missing");
  if (!isToken(token)) return refuse(response, "token_malformed");
  const hash = createHmac("sha256", HASH_KEY).update(token).digest("base64url");
  const [stored, gone] = await redis.mget(`token:record:${hash}`, `token:gone:${hash}`);
  if (gone !== null) return refuse(response, "token_revoked");
  const record = stored === null ? null : JSON.parse(stored);
  if (record === null || Date.parse(record.expires_at) <= Date.now()) {
    return refuse(response, "token_expired");
  }
  const { plan, issued_at, expires_at } = record;
  return response.json({ plan, issued_at, expires_at, ...rest[plan] });
});

app.listen(Number(PORT), "127.0.0.1");
