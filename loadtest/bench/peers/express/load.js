// Send the requests of a file to one URL for some seconds, from many connections, and print what
// came of it as one line of JSON. Each connection has a share of the requests, and sends them in
// turn: with all of them on each, the connections would ask the same at the same time.
import { readFileSync } from "node:fs";
import autocannon from "autocannon";

const [url, requestsFile, connectionsText, seconds] = process.argv.slice(2);
const connections = Number(connectionsText);
const requests = JSON.parse(readFileSync(requestsFile, "utf8"));
const firstOf = (connection) => Math.floor((connection * requests.length) / connections);

let connection = 0;
const result = await autocannon({
  url,
  connections,
  duration: Number(seconds),
  requests: requests.slice(0, 1), // autocannon copies these for every connection
  setupClient(client) {
    const first = firstOf(connection);
    connection += 1;
    client.setRequests(requests.slice(first, Math.max(first + 1, firstOf(connection))));
  },
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
