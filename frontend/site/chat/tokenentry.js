import { element } from "/design/element.js";
import { Problem, explain } from "./problems.js";

const REFUSED = {
  token_malformed:
    "This is not a token of this site. It begins with tmpods_premium_ or tmpods_free_; copy all of it.",
  token_expired: "This token has expired.",
  token_revoked: "This token is no longer accepted.",
};

let made = 0;

/** A field for a token that the person already has, folded away until it is asked for. */
export class TokenEntry {
  node;
  #input;
  #message;
  #button;
  #token;
  #onTaken;

  /**
   * @param {import("./token.js").AccessToken} token
   * @param {() => void} onTaken the token holds and is in use
   */
  constructor(token, onTaken) {
    this.#token = token;
    this.#onTaken = onTaken;
    made += 1;
    const id = `token-entry-${made}`;
    this.#input = /** @type {HTMLInputElement} */ (
      element("input", {
        class: "field",
        id,
        type: "text",
        maxlength: 200,
        required: true,
        autocomplete: "off",
        autocapitalize: "off",
        spellcheck: "false",
        "aria-describedby": `${id}-message`,
      })
    );
    this.#message = element("p", { class: "take-message", id: `${id}-message`, role: "alert" });
    this.#button = element("button", { class: "button button-quiet button-small" }, "Use this token");
    const form = element(
      "form",
      { class: "token-form", novalidate: true },
      element("label", { for: id }, "Your token"),
      this.#input,
      this.#button,
      this.#message,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#use();
    });
    const summary = element("summary", {}, "I have a token");
    this.node = element("details", { class: "disclosure token-entry" }, summary, form);
  }

  /** Unfold it and put the cursor into the field. */
  open() {
    this.node.setAttribute("open", "");
    this.#input.focus();
  }

  async #use() {
    if (this.#button.getAttribute("aria-disabled")) return;
    this.#button.setAttribute("aria-disabled", "true");
    this.#message.textContent = "";
    this.#input.removeAttribute("aria-invalid");
    try {
      await this.#token.adopt(this.#input.value);
      this.#input.value = "";
      this.node.removeAttribute("open");
      this.#onTaken();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#input.setAttribute("aria-invalid", "true");
      this.#message.textContent = why(error);
      this.#input.focus();
    } finally {
      this.#button.removeAttribute("aria-disabled");
    }
  }
}

/** @param {Problem} problem */
function why(problem) {
  const { title, text } = explain(problem.data);
  return REFUSED[problem.code] ?? `${title}. ${text}`;
}
