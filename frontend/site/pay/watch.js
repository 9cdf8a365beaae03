import { Problem } from "/chat/problems.js";
import { api } from "./api.js";

const FIRST_GAP_MS = 2000;
const LONGEST_GAP_MS = 30_000;
const GROWTH = 1.5;

/** In these states nothing more happens by itself. */
const ENDS = new Set(["fulfilled", "refunded", "partially_refunded", "dispute_lost"]);

/**
 * Reads an order again and again, with growing gaps, and at once when the person comes back to the
 * page. Sends `change` when it has been read, and `problem` when it could not be.
 */
export class OrderWatch extends EventTarget {
  /** @type {import("./api.js").Order|null} */
  order = null;
  /** @type {import("/chat/problems.js").Problem|null} */
  problem = null;
  #key;
  #gap = FIRST_GAP_MS;
  #timer;
  #reading = false;
  /** Asked for while it was being read: what was read may be older than what is asked for. */
  #again = false;
  #ended = false;
  #before;

  /**
   * @param {import("./api.js").Key} key
   * @param {() => Promise<boolean>} before done before each reading; tells whether something is
   *   still to come, whatever the order says; must not throw
   */
  constructor(key, before) {
    super();
    this.#key = key;
    this.#before = before;
    document.addEventListener("visibilitychange", this.#seen);
    window.addEventListener("online", this.#seen);
  }

  #seen = () => {
    if (document.visibilityState === "visible" && !this.#ended) this.now();
  };

  /** Read it at once, and soon again: something is expected to have happened. */
  async now() {
    this.#gap = FIRST_GAP_MS;
    this.#ended = false;
    await this.#read();
  }

  stop() {
    this.#ended = true;
    this.#again = false;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#seen);
    window.removeEventListener("online", this.#seen);
  }

  async #read() {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    clearTimeout(this.#timer);
    let wait = this.#gap;
    try {
      const more = await this.#before();
      this.order = await api.order(this.#key);
      this.problem = null;
      const invoiced = this.order.steps?.invoice !== "pending";
      this.#ended ||= ENDS.has(this.order.status) && invoiced && !more;
      this.dispatchEvent(new Event("change"));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
      wait = Math.max(wait, (error.data.retry_after ?? 0) * 1000);
      // What is not there, or not ours, will not be there the next time either.
      this.#ended ||= [401, 403, 404, 422].includes(error.data.status);
      this.dispatchEvent(new Event("problem"));
    } finally {
      this.#reading = false;
    }
    if (this.#again) {
      this.#again = false;
      this.#ended = false;
      await this.#read();
      return;
    }
    if (this.#ended) return;
    this.#gap = Math.min(LONGEST_GAP_MS, this.#gap * GROWTH);
    this.#timer = setTimeout(() => {
      // Nobody looks: coming back reads it.
      if (document.visibilityState === "visible") this.#read();
    }, wait);
  }
}
