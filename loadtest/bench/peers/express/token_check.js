// GET /api/token as Express 5 and ioredis answer it: the same checks on the same records.
import express from "express";
import Redis from "ioredis";
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

const { PORT, REDIS_URL, REDIS_PASSWORD, REST } = process.env;
const rest = JSON.parse(REST); // models and limits of each plan
const redis = new Redis(REDIS_URL, { password: REDIS_PASSWORD, enableAutoPipelining: true });

const app = express();
app.disable("x-powered-by");
app.disable("etag"); // ours sends none, and it costs

app.get("/api/token", async (request, response) => {
  setCommonHeaders(response, newId());
  const token = bearerToken(request);
  if (!token) return refuse(response, 401, "token_missing");
  if (!isToken(token)) return refuse(response, 401, "token_malformed");
  const [stored, gone] = await redis.mget(...lookupKeys(hashOf(token)));
  if (gone !== null) return refuse(response, 401, "token_revoked");
  const record = validRecord(stored);
  if (record === null) return refuse(response, 401, "token_expired");
  const { plan, issued_at, expires_at } = record;
  return response.json({ plan, issued_at, expires_at, ...rest[plan] });
});

app.listen(Number(PORT), "127.0.0.1");
