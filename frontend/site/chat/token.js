import { Problem, fetchOrProblem, problemOf } from "./problems.js";

const KEY = "tracemypods.token";
const MEANINGFUL_SKEW_MS = 5000;
const FORM = /^tmpods_(free|premium)_[0-9A-Za-z]+$/;

/**
 * @typedef {object} TokenRecord
 * @property {string} token
 * @property {string} plan
 * @property {string} expires_at RFC 3339, by the server's clock
 * @property {string} issued_at likewise
 * @property {number} skew server's clock less this machine's, in milliseconds
 */

/** @typedef {"none"|"valid"|"expired"|"refused"} TokenState */

/**
 * This browser's access token: kept in localStorage, shared by all tabs. Sends `change` when
 * there is another one, or none.
 */
export class AccessToken extends EventTarget {
  /** @type {TokenRecord|null} */
  #record = null;
  #refused = false;

  constructor() {
    super();
    this.#load();
    window.addEventListener("storage", (event) => {
      if (event.key !== KEY && event.key !== null) return;
      this.#load();
      this.#changed();
    });
  }

  /** @returns {TokenState} */
  get state() {
    if (this.#refused) return "refused";
    if (!this.#record) return "none";
    return this.secondsLeft > 0 ? "valid" : "expired";
  }

  get value() {
    return this.#record?.token ?? "";
  }

  get plan() {
    return this.#record?.plan ?? "";
  }

  get secondsLeft() {
    if (!this.#record) return 0;
    const left = Date.parse(this.#record.expires_at) - Date.now() - this.#record.skew;
    return Math.max(0, Math.ceil(left / 1000));
  }

  /** How much of the token's life is left, 0 to 1. */
  get shareLeft() {
    if (!this.#record) return 0;
    const life = Date.parse(this.#record.expires_at) - Date.parse(this.#record.issued_at);
    return life > 0 ? Math.min(1, (this.secondsLeft * 1000) / life) : 0;
  }

  /** Take a new free token. Throws Problem. */
  async take() {
    const response = await fetchOrProblem("/api/token", { method: "POST" });
    if (response.status !== 201) throw await problemOf(response);
    const { token, plan, expires_at, issued_at } = await response.json();
    const skew = skewOf(response);
    const now = new Date(Date.now() + skew).toISOString();
    this.#keep({ token, plan, expires_at, issued_at: issued_at ?? now, skew });
  }

  /**
   * Use a token that the person already has, once the service says that it holds.
   *
   * @param {string} text as it was pasted
   * @throws {Problem} the token that was there before stays
   */
  async adopt(text) {
    const token = text.trim();
    if (!FORM.test(token)) throw new Problem({ code: "token_malformed" });
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetchOrProblem("/api/token", { headers });
    if (!response.ok) throw await problemOf(response);
    const { plan, expires_at, issued_at } = await response.json();
    this.#keep({ token, plan, expires_at, issued_at, skew: skewOf(response) });
  }

  /**
   * Forget the token, and revoke it if it is a free one. A premium token was paid for: it goes on
   * working for whoever has it. Throws Problem when it could not be revoked.
   */
  async remove() {
    if (this.plan === "premium") {
      this.#keep(null);
      return;
    }
    const response = await fetchOrProblem("/api/token", {
      method: "DELETE",
      headers: { Authorization: `Bearer ${this.value}` },
    });
    // 401 says that it is not accepted any more, which is what was wanted
    if (!response.ok && response.status !== 401) throw await problemOf(response);
    this.#keep(null);
  }

  /** The service no longer accepts it: forget it, and remember why there is none. */
  refuse(value) {
    if (value !== this.value) return; // another one has been taken in the meantime
    this.#keep(null);
    this.#refused = true;
    this.#changed();
  }

  /** @param {TokenRecord|null} record */
  #keep(record) {
    this.#record = record;
    this.#refused = false;
    try {
      if (record) localStorage.setItem(KEY, JSON.stringify(record));
      else localStorage.removeItem(KEY);
    } catch {
      // without storage the token lasts as long as the page
    }
    this.#changed();
  }

  #load() {
    this.#refused = false;
    try {
      const record = JSON.parse(localStorage.getItem(KEY) ?? "null");
      const usable = typeof record?.token === "string" && !Number.isNaN(Date.parse(record.expires_at));
      this.#record = usable ? { skew: 0, plan: "free", ...record } : null;
    } catch {
      this.#record = null;
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Response} response @returns {number} server's clock less this machine's, in ms */
function skewOf(response) {
  const server = Date.parse(response.headers.get("Date") ?? "");
  const difference = Number.isNaN(server) ? 0 : server - Date.now();
  // The header counts whole seconds, so a small difference says nothing.
  return Math.abs(difference) > MEANINGFUL_SKEW_MS ? difference : 0;
}
