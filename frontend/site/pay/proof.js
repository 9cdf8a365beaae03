import { element } from "/design/element.js";
import { announce } from "/chat/announce.js";
import { clock, counted } from "/chat/format.js";
import { Problem } from "/chat/problems.js";
import { api } from "./api.js";
import { Field, busy } from "./fields.js";
import { problemNotice, sentence, smallButton } from "./problems.js";

const DIGITS = 6;
let made = 0;

/**
 * Proving that one reads the mail of an address: ask for a code, and type or paste what arrives.
 *
 * @typedef {object} ProofOptions
 * @property {"buy"|"token"} purpose
 * @property {string} [orderId] for the purpose `token`
 * @property {string} [email] what the field begins with
 * @property {import("./draft.js").Challenge|null} [challenge] a code that is on its way already
 * @property {string} hint what the address is for
 * @property {() => string} inbox where captured mails are; empty where mail is really sent
 * @property {(challenge: import("./draft.js").Challenge|null) => void} [onChallenge]
 * @property {(proof: {verification: string, expires_in: number}, email: string) => void|Promise<void>} onProved
 */
export class EmailProof {
  node = element("div", { class: "proof" });
  #options;
  #id;
  /** @type {import("./draft.js").Challenge|null} */
  #challenge;
  #email;
  #timer;
  #code;
  #problem = element("div", {});
  #resend;

  /** @param {ProofOptions} options */
  constructor(options) {
    this.#options = options;
    made += 1;
    this.#id = `proof-${made}`;
    this.#challenge = options.challenge ?? null;
    this.#email = this.#challenge?.email ?? options.email ?? "";
    if (this.#challenge) this.#askForCode();
    else this.#askForAddress();
  }

  /** From the beginning: the proof that was given is no longer taken. */
  restart() {
    this.#keepChallenge(null);
    this.#askForAddress();
    this.focus();
  }

  focus() {
    this.node.querySelector("input")?.focus();
  }

  #askForAddress() {
    clearInterval(this.#timer);
    const id = `${this.#id}-email`;
    const input = element("input", {
      class: "field",
      id,
      type: "email",
      autocomplete: "email",
      autocapitalize: "off",
      spellcheck: "false",
      maxlength: 254,
      required: true,
      value: this.#email,
      "aria-describedby": `${id}-hint ${id}-error`,
    });
    const error = element("p", { class: "field-error", id: `${id}-error` });
    const button = element("button", { class: "button" }, "Send me a code");
    const field = new Field(input, error);
    const form = element(
      "form",
      { class: "form", novalidate: true },
      element(
        "div",
        { class: "form-row" },
        element("label", { for: id }, "E-mail address"),
        element("p", { class: "hint", id: `${id}-hint` }, this.#options.hint),
        input,
        error,
      ),
      this.#problem,
      button,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      field.clear();
      this.#email = field.value;
      if (!/^[^\s@]+@[^\s@]+$/.test(this.#email)) {
        field.fail("Write an e-mail address, such as name@example.org.");
        input.focus();
        return;
      }
      busy(button, "Sending…", () => this.#send(field));
    });
    this.#problem.replaceChildren();
    this.node.replaceChildren(form);
  }

  /** @param {Field} [field] the address's, when it is being shown */
  async #send(field) {
    this.#problem.replaceChildren();
    const { purpose, orderId } = this.#options;
    const wish = { email: this.#email, purpose };
    if (orderId) wish.order_id = orderId;
    const again = this.#challenge;
    try {
      const answer = await this.#sendOrRestart(wish, again);
      const now = Date.now();
      this.#challenge = {
        id: answer.challenge_id,
        email: this.#email,
        until: now + answer.expires_in * 1000,
        resend_at: now + answer.resend_after * 1000,
      };
      this.#options.onChallenge?.(this.#challenge);
      this.#askForCode();
      this.focus();
      announce(`A code was sent to ${this.#email}.`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const about = error.data.errors?.find((one) => one.field?.endsWith("email"));
      if (about && field) {
        field.fail(sentence(about.message));
        field.input.focus();
        return;
      }
      if (again && error.data.retry_after) {
        this.#keepChallenge({ resend_at: Date.now() + error.data.retry_after * 1000 });
        this.#tick();
      }
      this.#problem.replaceChildren(problemNotice(error.data));
    }
  }

  /** A challenge can be over while its code is waited for; then another one is begun. */
  async #sendOrRestart(wish, again) {
    if (!again) return api.sendCode(wish);
    try {
      return await api.sendCode({ ...wish, challenge_id: again.id });
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "challenge_over") throw error;
      return api.sendCode(wish);
    }
  }

  #askForCode() {
    const id = `${this.#id}-code`;
    // One field rather than six: it pastes whole, and a screen reader reads it as one thing.
    const input = element("input", {
      class: "field code-field",
      id,
      type: "text",
      inputmode: "numeric",
      autocomplete: "one-time-code",
      autocapitalize: "off",
      spellcheck: "false",
      required: true,
      "aria-describedby": `${id}-hint ${id}-error`,
    });
    const error = element("p", { class: "field-error", id: `${id}-error`, role: "alert" });
    const button = element("button", { class: "button" }, "Confirm");
    this.#code = new Field(input, error);
    this.#resend = element("button", { class: "button button-plain", type: "button" });
    this.#resend.addEventListener("click", () => {
      if (this.#secondsToResend() > 0) return;
      busy(this.#resend, "Sending…", () => this.#send()).then(() => this.#tick());
    });
    const form = element(
      "form",
      { class: "form", novalidate: true },
      element(
        "p",
        { class: "sent-to" },
        "A code was sent to ",
        element("strong", {}, this.#email),
        ". ",
        this.#inboxLink(),
      ),
      element(
        "div",
        { class: "form-row" },
        element("label", { for: id }, "Code"),
        element("p", { class: "hint", id: `${id}-hint` }, this.#holds()),
        input,
        error,
      ),
      this.#problem,
      element(
        "div",
        { class: "form-actions" },
        button,
        this.#resend,
        element(
          "button",
          { class: "button button-plain", type: "button", onclick: () => this.restart() },
          "Use another address",
        ),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#confirm(button);
    });
    input.addEventListener("input", () => {
      const digits = input.value.normalize("NFKC").replace(/\D/g, "").slice(0, DIGITS);
      if (input.value !== digits) input.value = digits;
      this.#code.clear();
      if (digits.length === DIGITS) this.#confirm(button);
    });
    this.#problem.replaceChildren();
    this.node.replaceChildren(form);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), 1000);
    this.#tick();
  }

  #holds() {
    const minutes = Math.max(1, Math.round((this.#challenge.until - Date.now()) / 60_000));
    const time = counted(minutes, "minute", "minutes");
    return `Six digits; it holds for ${time}. It is checked as soon as all are there.`;
  }

  #inboxLink() {
    const inbox = this.#options.inbox();
    return inbox
      ? element("a", { href: inbox, target: "_blank" }, "Open the inbox of this test site")
      : null;
  }

  async #confirm(button) {
    const code = this.#code.value;
    if (code.length !== DIGITS) {
      this.#code.fail("The code has six digits.");
      this.#code.input.focus();
      return;
    }
    const { input } = this.#code;
    let proof;
    await busy(button, "Checking…", async () => {
      input.readOnly = true;
      this.#problem.replaceChildren();
      try {
        proof = await api.verifyCode(this.#challenge.id, code);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        this.#refused(error);
      } finally {
        input.readOnly = false;
      }
    });
    if (!proof) return;
    this.#keepChallenge(null);
    clearInterval(this.#timer);
    await this.#options.onProved(proof, this.#email);
  }

  /** @param {Problem} error */
  #refused(error) {
    if (error.code === "code_wrong") {
      const left = error.data.attempts_left;
      const more = Number.isFinite(left) ? ` ${counted(left, "try is", "tries are")} left.` : "";
      this.#code.fail(`That is not the code that was sent.${more}`);
      this.#code.input.focus();
      this.#code.input.select();
      return;
    }
    if (error.code === "challenge_over") {
      this.#keepChallenge(null);
      const anew = smallButton("Send a new code", () => busy(anew, "Sending…", () => this.#send()));
      this.#problem.replaceChildren(problemNotice(error.data, anew));
      anew.focus();
      this.#tick();
      return;
    }
    const again = smallButton("Try again", () => this.node.querySelector("form").requestSubmit());
    this.#problem.replaceChildren(problemNotice(error.data, again));
  }

  /** @param {Partial<import("./draft.js").Challenge>|null} change */
  #keepChallenge(change) {
    this.#challenge = change && this.#challenge ? { ...this.#challenge, ...change } : null;
    this.#options.onChallenge?.(this.#challenge);
  }

  #secondsToResend() {
    return Math.ceil(((this.#challenge?.resend_at ?? 0) - Date.now()) / 1000);
  }

  #tick() {
    if (!this.#resend || this.#resend.getAttribute("aria-busy")) return;
    this.#resend.hidden = !this.#challenge;
    const seconds = this.#secondsToResend();
    const label = seconds > 0 ? `Send again in ${clock(seconds)}` : "Send another code";
    if (this.#resend.textContent !== label) this.#resend.textContent = label;
    if (seconds > 0) this.#resend.setAttribute("aria-disabled", "true");
    else this.#resend.removeAttribute("aria-disabled");
  }
}
