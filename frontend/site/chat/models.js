import { element } from "/design/element.js";
import { bytes, number } from "./format.js";
import { fetchOrProblem, problemOf } from "./problems.js";

const KEY = "tracemypods.model";

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} label
 * @property {string} notes
 * @property {number} size_bytes
 * @property {number} memory_bytes
 * @property {number} context_tokens
 * @property {{max_answer_tokens: number}} limits
 * @property {{name: string, url: string}} licence
 * @property {string} source
 * @property {boolean} allowed
 * @property {string} status
 */

/** What stands in the way of using a model; empty when nothing does. */
function obstacle(model) {
  if (model.allowed === false) return "not in your plan";
  if (model.status === "not_installed") return "not installed";
  if (model.status === "down") return "not answering";
  return "";
}

/** The model picker, with what is known about the chosen model below it. */
export class ModelPicker {
  /** @type {Model[]} */
  #models = [];
  #select = /** @type {HTMLSelectElement} */ (document.getElementById("model"));
  #state = document.getElementById("model-state");
  #notes = document.getElementById("model-notes");
  #facts = document.getElementById("model-facts");
  #again = document.getElementById("model-again");

  constructor() {
    this.#select.addEventListener("change", () => {
      remember(this.#select.value);
      this.#describe();
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
    this.#again.hidden = this.#models.some((model) => !obstacle(model));
    this.#fill();
    this.#describe();
  }

  #fill() {
    const wanted = this.#select.value || remembered();
    const options = this.#models.map((model) => {
      const reason = obstacle(model);
      const label = reason ? `${model.label} (${reason})` : model.label;
      return element("option", { value: model.name, disabled: Boolean(reason) }, label);
    });
    this.#select.replaceChildren(...options);
    const usable = this.#models.filter((model) => !obstacle(model));
    const chosen =
      usable.find((model) => model.name === wanted) ?? usable[0] ?? this.#models[0] ?? null;
    this.#select.disabled = !this.#models.length;
    if (chosen) this.#select.value = chosen.name;
  }

  #describe() {
    const model = this.#models.find(({ name }) => name === this.#select.value);
    if (!model) {
      this.#say("down", "There is no model in the catalogue.");
      return;
    }
    const reason = obstacle(model);
    if (reason) this.#say("down", `${capital(reason)}.`);
    else if (model.status === "cold") this.#say("ready", "Ready; loads on the first question.");
    else this.#say("ready", "Ready.");
    this.#notes.textContent = model.notes ?? "";
    this.#facts.replaceChildren(...facts(model));
  }

  /** @param {"ready"|"down"} state @param {string} text */
  #say(state, text) {
    this.#state.dataset.state = state;
    this.#state.textContent = text;
  }
}

/** @param {Model} model */
function facts(model) {
  const rows = [
    ["Name", element("code", {}, model.name)],
    model.size_bytes && ["On disk", bytes(model.size_bytes)],
    model.memory_bytes && ["In memory", bytes(model.memory_bytes)],
    model.context_tokens && ["Context", `${number(model.context_tokens)} tokens`],
    model.limits?.max_answer_tokens && [
      "Longest answer",
      `${number(model.limits.max_answer_tokens)} tokens`,
    ],
    model.licence?.name && ["Licence", reference(model.licence.url, model.licence.name)],
    model.source && ["Source", reference(model.source, model.source)],
  ].filter(Boolean);
  return rows.map(([term, value]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, value)),
  );
}

/** The catalogue is an operator's file, but an address in it is still only text until checked. */
function reference(address, text) {
  const url = URL.canParse(address ?? "") ? new URL(address) : null;
  if (!url || !["https:", "http:"].includes(url.protocol)) return text;
  const shown = text === address ? url.host + url.pathname.replace(/\/$/, "") : text;
  return element(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" },
    shown,
  );
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function remember(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // the choice then lasts as long as the page
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}
