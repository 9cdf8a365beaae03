// Ask one URL with many tokens for some seconds, and print what came of it as one line of JSON.
import { readFileSync } from "node:fs";
import autocannon from "autocannon";

const [url, tokensFile, connections, seconds] = process.argv.slice(2);
const tokens = JSON.parse(readFileSync(tokensFile, "utf8"));
const result = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(seconds),
  requests: tokens.map((token) => ({ headers: { authorization: `Bearer ${token}` } })),
});
console.log(
  JSON.stringify({
    answers: result["2xx"],
    failures: result.non2xx + result.errors + result.timeouts,
    seconds: result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
  }),
);
process.exit(0);
