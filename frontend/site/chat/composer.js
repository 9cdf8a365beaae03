import { icon } from "/design/icons.js";
import { number } from "./format.js";

export const LIMIT_BYTES = 64 * 1024;
const SHOW_COUNT_FROM = LIMIT_BYTES * 0.75;

const encoder = new TextEncoder();

/** @param {string} text @returns {number} UTF-8 bytes */
function byteLength(text) {
  // Counting is worth it only near the limit: no character takes more than three bytes a unit.
  return text.length * 3 < SHOW_COUNT_FROM ? 0 : encoder.encode(text).length;
}

/** Where questions are written: Enter sends, Shift+Enter starts a line, Escape stops. */
export class Composer {
  #form = document.getElementById("composer");
  #field = /** @type {HTMLTextAreaElement} */ (document.getElementById("question"));
  #button = /** @type {HTMLButtonElement} */ (document.getElementById("send"));
  #count = document.getElementById("byte-count");
  #hint = document.getElementById("composer-hint");
  #busy = false;
  #onStop;
  #onSend;

  /** @param {{onSend: (question: string) => void, onStop: () => void}} actions */
  constructor({ onSend, onStop }) {
    this.#onSend = onSend;
    this.#onStop = onStop;
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => {
      // While an input method is composing, Enter chooses its suggestion.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#busy) this.#onStop();
      else this.#send();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#busy && !event.defaultPrevented) this.#onStop();
    });
    this.setBusy(false);
  }

  get text() {
    return this.#field.value;
  }

  /** @param {string} text */
  write(text) {
    this.#field.value = text;
    this.#changed();
    this.focus();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** @param {boolean} busy whether an answer is being written */
  setBusy(busy) {
    this.#busy = busy;
    this.#form.dataset.busy = String(busy);
    this.#button.replaceChildren(icon(busy ? "stop" : "send"));
    this.#button.setAttribute("aria-label", busy ? "Stop" : "Send");
    this.#button.title = busy ? "Stop (Esc)" : "Send (Enter)";
    this.#hint.textContent = busy
      ? "Esc stops the answer"
      : "Enter sends, Shift+Enter starts a new line";
    this.#changed();
  }

  #send() {
    const question = this.#field.value.trim();
    if (this.#busy || !question || byteLength(question) > LIMIT_BYTES) return;
    this.#field.value = "";
    this.#changed();
    this.#onSend(question);
  }

  #changed() {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
    const size = byteLength(this.#field.value);
    const over = size > LIMIT_BYTES;
    this.#count.hidden = size < SHOW_COUNT_FROM;
    this.#count.dataset.over = String(over);
    this.#count.textContent = over
      ? `${number(size)} of ${number(LIMIT_BYTES)} bytes: too long to send`
      : `${number(size)} of ${number(LIMIT_BYTES)} bytes`;
    this.#field.setAttribute("aria-invalid", String(over));
    this.#button.disabled = !this.#busy && (over || !this.#field.value.trim());
  }
}
