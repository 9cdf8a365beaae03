import { element } from "/design/element.js";
import { announce } from "./announce.js";
import { grouped, obstacles, option } from "./modeloptions.js";
import { facts, termsOf } from "./modelfacts.js";
import { fetchOrProblem, problemOf } from "./problems.js";

const KEY = "tracemypods.model";
const TERMS_KEY = "tracemypods.terms";

/**
 * @typedef {object} Model what GET /api/models says of one; sizes in bytes
 * @property {string} name
 * @property {string} label
 * @property {string} notes
 * @property {"free"|"premium"} tier
 * @property {"chat"|"base"} kind
 * @property {number} size_bytes
 * @property {number|null} size_most_bytes
 * @property {number} memory_bytes
 * @property {number|null} memory_most_bytes
 * @property {string} gpu
 * @property {number} context_tokens
 * @property {{max_answer_tokens: number}} limits
 * @property {number} priority
 * @property {{name: string, url: string, use_policy: string|null, notice: string|null}} licence
 * @property {string|null} terms
 * @property {string} source
 * @property {boolean} allowed
 * @property {string} status
 */

/** The model picker, with what is known about the chosen model below it. */
export class ModelPicker {
  /** @type {Model[]} */
  #models = [];
  #select = /** @type {HTMLSelectElement} */ (document.getElementById("model"));
  #state = document.getElementById("model-state");
  #notes = document.getElementById("model-notes");
  #facts = document.getElementById("model-facts");
  #notice = document.getElementById("model-notice");
  #terms = document.getElementById("model-terms");
  #locked = document.getElementById("model-locked");
  #again = document.getElementById("model-again");

  constructor() {
    this.#select.addEventListener("change", () => {
      write(KEY, this.#select.value);
      this.#describe();
      if (!this.#terms.hidden) announce(this.#terms.textContent);
    });
  }

  /** @returns {string|undefined} the chosen name; undefined leaves it to the service */
  get chosen() {
    return this.#select.value || undefined;
  }

  focus() {
    this.#select.focus();
  }

  /** @param {string|undefined} name */
  labelOf(name) {
    return this.#models.find((model) => model.name === name)?.label ?? name ?? "Model";
  }

  /**
   * Read the catalogue again.
   *
   * @param {string} token what is allowed depends on it; may be empty, or no longer valid
   */
  async load(token) {
    try {
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      let response = await fetchOrProblem("/api/models", { headers });
      // The page itself tells about the token; the catalogue can be read without one.
      if (response.status === 401) response = await fetchOrProblem("/api/models");
      if (!response.ok) throw await problemOf(response);
      const { items } = await response.json();
      this.#models = items;
    } catch {
      // Asking needs no catalogue: without one the service chooses.
      if (!this.#models.length) this.#say("down", "The list of models can't be read just now.");
      this.#again.hidden = false;
      return;
    }
    this.#again.hidden = this.#models.some((model) => !obstacles(model).length);
    this.#locked.hidden = this.#models.every((model) => model.allowed !== false);
    this.#fill();
  }

  #fill() {
    const wanted = this.#select.value || read(KEY);
    const groups = grouped(this.#models);
    const lists = groups.map(({ title, models }) =>
      element("optgroup", { label: title }, ...models.map(option)),
    );
    const usable = this.#models.filter((model) => !obstacles(model).length);
    const chosen = usable.find((model) => model.name === wanted) ?? usable[0];
    // A model that can't be asked is never chosen, not even for want of another one.
    if (!chosen) {
      lists.unshift(element("option", { value: "", disabled: true }, "None can be asked"));
    }
    this.#select.replaceChildren(...lists);
    this.#select.value = chosen?.name ?? "";
    this.#select.disabled = !this.#models.length;
    this.#describe();
    const missed = this.#models.find((model) => model.name === wanted);
    if (chosen && missed && missed !== chosen) {
      const reasons = obstacles(missed).join(", ");
      this.#say("ready", `${missed.label}: ${reasons}. ${chosen.label} is used.`);
    }
  }

  #describe() {
    const model = this.#models.find(({ name }) => name === this.#select.value);
    this.#notes.textContent = model?.notes ?? "";
    this.#facts.replaceChildren(...(model ? facts(model) : []));
    this.#notice.textContent = model?.licence?.notice ?? "";
    this.#showTerms(model);
    if (!model) this.#say("down", whyNone(this.#models));
    else if (model.status === "cold") this.#say("ready", "Has to be loaded before it answers.");
    else if (model.kind === "base") {
      this.#say("ready", "Ready. It continues text; it is not made for chat.");
    } else this.#say("ready", "Ready.");
  }

  /** What binds those who use a model is shown until they have seen it. @param {Model} [model] */
  #showTerms(model) {
    const seen = read(TERMS_KEY).split(" ");
    this.#terms.hidden = !model?.terms || seen.includes(model.terms);
    if (this.#terms.hidden) return;
    const look = { class: "button button-quiet button-small", type: "button" };
    const button = element("button", look, "Understood");
    button.addEventListener("click", () => {
      write(TERMS_KEY, [...seen, model.terms].join(" ").trim());
      this.#terms.hidden = true;
      this.focus();
    });
    this.#terms.replaceChildren(...termsOf(model), button);
  }

  /** @param {"ready"|"down"} state @param {string} text */
  #say(state, text) {
    this.#state.dataset.state = state;
    this.#state.textContent = text;
  }
}

/** @param {Model[]} models of which none can be asked */
function whyNone(models) {
  if (!models.length) return "There is no model in the catalogue.";
  const allowed = models.filter((model) => model.allowed !== false);
  if (!allowed.length) return "Every model needs a premium token.";
  const away = allowed.every((model) => model.status === "down");
  if (away) return "The model server is not answering.";
  return "No model that you may use is installed.";
}

function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // what is chosen then lasts as long as the page
  }
}

function read(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}
