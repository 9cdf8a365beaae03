const KEY = "tracemypods.buying";

/**
 * What is remembered of a purchase until there is an order, so that a reload loses nothing. It lies
 * in the tab's sessionStorage. The worth of what is kept there is small: a verification lets its
 * holder make an order for an address, for some minutes. Order secrets and tokens are never kept.
 *
 * @typedef {object} Challenge
 * @property {string} id
 * @property {string} email
 * @property {number} until ms, when its code expires
 * @property {number} resend_at ms
 *
 * @typedef {object} DraftData
 * @property {string} [step]
 * @property {string} [plan]
 * @property {string} [email]
 * @property {Challenge|null} [challenge]
 * @property {{value: string, until: number}|null} [verification]
 * @property {import("./api.js").Buyer} [buyer]
 * @property {{key: string, body: string}} [idempotency]
 */
export class Draft {
  /** @type {DraftData} */
  #data = {};

  constructor() {
    try {
      this.#data = sound(JSON.parse(sessionStorage.getItem(KEY) ?? "{}"));
    } catch {
      // without storage, or with another program's words in it, one starts anew
    }
  }

  get data() {
    return this.#data;
  }

  /** @param {Partial<DraftData>} change */
  keep(change) {
    Object.assign(this.#data, change);
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.#data));
    } catch {
      // it then lasts as long as the page
    }
  }

  /** The e-mail address stays: who buys again has the same. */
  clear() {
    const { email } = this.#data;
    this.#data = {};
    this.keep(email ? { email } : {});
  }

  get verified() {
    const { verification } = this.#data;
    return Boolean(verification && verification.until > Date.now());
  }

  /**
   * The key under which this very order is made: the same for the same body, so that a repeated
   * request makes no second order, also after a reload.
   *
   * @param {string} body
   */
  idempotencyKey(body) {
    if (this.#data.idempotency?.body !== body) {
      this.keep({ idempotency: { key: randomKey(), body } });
    }
    return this.#data.idempotency.key;
  }
}

/** crypto.randomUUID is missing over plain HTTP. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns {DraftData} what of a stored value has the form that it should have */
function sound(value) {
  const text = (one) => typeof one === "string";
  const all = (object, checks) =>
    Boolean(object) && Object.entries(checks).every(([name, check]) => check(object[name]));
  const maybe = (check) => (one) => one === undefined || check(one);
  const checks = {
    step: text,
    plan: text,
    email: text,
    challenge: (one) =>
      all(one, { id: text, email: text, until: Number.isFinite, resend_at: Number.isFinite }),
    verification: (one) => all(one, { value: text, until: Number.isFinite }),
    buyer: (one) =>
      all(one, { name: text, country: text, state: maybe(text), gstin: maybe(text) }),
    idempotency: (one) => all(one, { key: text, body: text }),
  };
  return Object.fromEntries(
    Object.entries(checks)
      .filter(([name, check]) => check(value?.[name]))
      .map(([name]) => [name, value[name]]),
  );
}
