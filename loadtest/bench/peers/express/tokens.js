// Tokens as our services check them: their form, their hash, and what Redis holds under it.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_LENGTH = 32;
const CHECKSUM_LENGTH = 6;
const CHECKSUMS = BigInt(ALPHABET.length) ** BigInt(CHECKSUM_LENGTH);

const { CHECKSUM_KEY, HASH_KEY } = process.env;

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

export function bearerToken(request) {
  const [scheme, token] = (request.get("authorization") ?? "").split(" ");
  return scheme.toLowerCase() === "bearer" ? token : undefined;
}

export function isToken(token) {
  const prefix = token.startsWith("tmpods_premium_") ? "tmpods_premium_" : "tmpods_free_";
  const length = prefix.length + SECRET_LENGTH + CHECKSUM_LENGTH;
  if (!token.startsWith(prefix) || token.length !== length) return false;
  const given = Buffer.from(token.slice(-CHECKSUM_LENGTH));
  const expected = Buffer.from(checksum(token.slice(0, -CHECKSUM_LENGTH)));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export function hashOf(token) {
  return createHmac("sha256", HASH_KEY).update(token).digest("base64url");
}

// What to read in one MGET, and what it says.
export function lookupKeys(hash) {
  return [`token:record:${hash}`, `token:gone:${hash}`];
}

export function validRecord(stored) {
  const record = stored === null ? null : JSON.parse(stored);
  return record === null || Date.parse(record.expires_at) <= Date.now() ? null : record;
}

export function newId() {
  return randomUUID().replaceAll("-", "");
}

export function setCommonHeaders(response, id) {
  response.set({
    "X-Request-Id": `req_${id}`,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
  });
}

export function refuse(response, status, code) {
  if (status === 401) response.set("WWW-Authenticate", "Bearer");
  response
    .status(status)
    .type("application/problem+json")
    .send(JSON.stringify({ type: "about:blank", title: "Refused", status, code }));
}
