/**
 * Server-sent events from a stream of bytes, after the HTML standard's "event stream
 * interpretation": CRLF, LF or CR line ends, data over several lines, comments, a byte order
 * mark, and characters split between chunks. `id` and `retry` have no use here and are ignored,
 * and so is an event that the stream's end cut short.
 */
export class EventParser {
  #decoder = new TextDecoder();
  #rest = "";
  #afterCr = false;
  #event = "";
  /** @type {string[]} */
  #data = [];

  /**
   * @param {Uint8Array} chunk
   * @returns {{event: string, data: string}[]} the events that this chunk completed
   */
  push(chunk) {
    let text = this.#decoder.decode(chunk, { stream: true });
    if (!text) return [];
    // A line end that was split between two chunks has been counted with its CR.
    if (this.#afterCr && text.startsWith("\n")) text = text.slice(1);
    this.#afterCr = text ? text.endsWith("\r") : false;
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? "";
    const events = [];
    for (const line of lines) {
      const event = this.#take(line);
      if (event) events.push(event);
    }
    return events;
  }

  /** @param {string} line */
  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null; // a comment: the server's heartbeat
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    return null;
  }

  #dispatch() {
    const event = this.#data.length
      ? { event: this.#event || "message", data: this.#data.join("\n") }
      : null;
    this.#event = "";
    this.#data = [];
    return event;
  }
}
