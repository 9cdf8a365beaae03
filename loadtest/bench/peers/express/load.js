// Send the requests of a file to one URL for some seconds, in turn from many connections, and print
// what came of it as one line of JSON.
import { readFileSync } from "node:fs";
import autocannon from "autocannon";

const [url, requestsFile, connections, seconds] = process.argv.slice(2);
const result = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(seconds),
  requests: JSON.parse(readFileSync(requestsFile, "utf8")),
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
