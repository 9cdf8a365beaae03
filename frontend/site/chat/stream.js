import { EventParser } from "./sse.js";
import { Problem, problemOf } from "./problems.js";

/** The server sends a comment every 10 s, so three of them missing is a lost connection. */
const SILENCE_MS = 30_000;

/** The person stopped the answer. */
export class Stopped extends Error {}

/**
 * Ask, and give the answer's events as they arrive: `status`, `delta`, and last `done`.
 * Throws Problem for everything that goes wrong, and Stopped when `signal` was aborted.
 *
 * @param {{token: string, messages: {role: string, content: string}[], model?: string,
 *   fresh?: boolean, signal: AbortSignal}} question `fresh` wants no answer from the cache
 * @returns {AsyncGenerator<{event: string, data: any}>}
 */
export async function* ask({ token, messages, model, fresh = false, signal }) {
  const silence = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  heard();
  try {
    const response = await fetch("/api/ask", {
      method: "POST",
      // Not "no-store", with which browsers send Cache-Control: no-cache of their own accord.
      cache: "default",
      credentials: "omit",
      headers: {
        "Content-Type": "application/json",
        Authorization: `Bearer ${token}`,
        ...(fresh && { "Cache-Control": "no-cache" }),
      },
      body: JSON.stringify({ messages, stream: true, ...(model && { model }) }),
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (!response.ok) throw await problemOf(response);
    const type = response.headers.get("Content-Type") ?? "";
    if (!response.body || !type.startsWith("text/event-stream")) {
      throw new Problem({ code: "unexpected_answer", status: response.status });
    }
    yield* events(response.body, heard);
  } catch (error) {
    if (signal.aborted) throw new Stopped();
    if (error instanceof Problem) throw error;
    if (error instanceof SyntaxError) throw new Problem({ code: "unexpected_answer" });
    throw new Problem({ code: silence.signal.aborted ? "silent" : "network" });
  } finally {
    clearTimeout(timer);
    silence.abort(); // also closes the connection when the reader leaves early
  }
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} heard called whenever bytes arrive, comments included
 */
async function* events(body, heard) {
  const parser = new EventParser();
  const reader = body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Problem({ code: "cut_off" });
    heard();
    for (const { event, data } of parser.push(value)) {
      const content = JSON.parse(data);
      if (event === "error") {
        throw new Problem(content?.code ? content : { code: "unexpected_answer" });
      }
      yield { event, data: content };
      if (event === "done") return;
    }
  }
}
