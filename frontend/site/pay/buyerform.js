import { element } from "/design/element.js";
import { Field, busy, showSummary } from "./fields.js";
import { gstinProblem, tidyGstin } from "./gstin.js";
import { INDIA, STATES, countries, countryName, states } from "./places.js";
import { problemNotice, sentence } from "./problems.js";
import { Problem } from "/chat/problems.js";

/** @typedef {import("./api.js").Buyer} Buyer */

const LONGEST_NAME = 120;

/** Who buys: name and country; for India the state, and the GSTIN of whoever has one. */
export class BuyerForm {
  #form = document.getElementById("buyer-form");
  #india = document.getElementById("buyer-india");
  #summary = document.getElementById("buyer-summary");
  #button = document.getElementById("buyer-submit");
  #fields = {
    name: Field.of("buyer-name"),
    country: Field.of("buyer-country"),
    state: Field.of("buyer-state"),
    gstin: Field.of("buyer-gstin"),
  };
  #onDone;
  #onChange;
  #pressed = false;

  /**
   * @param {(buyer: Buyer) => Promise<void>} onDone may throw Problem, which is shown here
   * @param {(buyer: Buyer) => void} onChange something was typed; it may not be right
   */
  constructor(onDone, onChange) {
    this.#onDone = onDone;
    this.#onChange = onChange;
    const { country, state, gstin } = this.#fields;
    fill(country.input, "Choose your country", countries());
    fill(state.input, "Choose your state", states());
    country.input.addEventListener("change", () => this.#showIndia());
    for (const [name, field] of Object.entries(this.#fields)) {
      // What is typed is judged when the field is left; what was wrong, while it is mended.
      field.input.addEventListener("change", () => {
        if (name === "gstin") this.#tidy();
        this.#onChange(this.#read());
        if (this.#pressed) return;
        this.#check(name, { complete: false });
        if (name === "state" && gstin.value) this.#check("gstin", { complete: false });
      });
      field.input.addEventListener("input", () => {
        if (field.error.textContent) this.#check(name, { complete: false });
      });
    }
    // An error that appears while the button is pressed would move it away from under the pointer.
    this.#button.addEventListener("pointerdown", () => (this.#pressed = true));
    for (const end of ["pointerup", "pointercancel"]) {
      document.addEventListener(end, () => (this.#pressed = false));
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** @param {Buyer} [buyer] */
  fill(buyer) {
    if (!buyer) return;
    for (const [name, field] of Object.entries(this.#fields)) {
      field.input.value = buyer[name] ?? "";
    }
    this.#showIndia();
  }

  /** @param {Buyer} [buyer] @returns {boolean} whether it may be sent */
  static complete(buyer) {
    if (!buyer?.name || !buyer.country) return false;
    if (buyer.country !== INDIA) return true;
    return buyer.state in STATES && (!buyer.gstin || !gstinProblem(buyer.gstin, buyer.state));
  }

  /**
   * Show what a service said about the fields.
   *
   * @param {Problem} problem
   * @returns {boolean} whether it was about one of them
   */
  refuse(problem) {
    const errors = (problem.data.errors ?? [])
      .map(({ field, message }) => [this.#fields[field?.split(".").at(-1)], sentence(message)])
      .filter(([field]) => field);
    if (!errors.length) return false;
    this.#clear();
    for (const [field, message] of errors) field.fail(message);
    showSummary(this.#summary, errors);
    return true;
  }

  #showIndia() {
    this.#india.hidden = this.#fields.country.value !== INDIA;
  }

  #tidy() {
    const { state, gstin } = this.#fields;
    const tidy = tidyGstin(gstin.value);
    gstin.input.value = tidy;
    // A GSTIN says which state it is of.
    if (!state.value && !gstinProblem(tidy, "")) {
      state.input.value = tidy.slice(0, 2);
      state.clear();
    }
  }

  /** @returns {Buyer} */
  #read() {
    const { name, country, state, gstin } = this.#fields;
    const buyer = { name: name.value.replace(/\s+/g, " "), country: country.value };
    if (buyer.country === INDIA) {
      if (state.value) buyer.state = state.value;
      if (gstin.value) buyer.gstin = tidyGstin(gstin.value);
    }
    return buyer;
  }

  /**
   * @param {string} name
   * @param {{complete: boolean}} options whether something must be there by now
   * @returns {[Field, string]|null} the error, which is shown beside the field
   */
  #check(name, { complete }) {
    const field = this.#fields[name];
    const message = field.value || complete ? wrong(name, this.#read()) : "";
    if (message) field.fail(message);
    else field.clear();
    return message ? [field, message] : null;
  }

  #clear() {
    this.#summary.replaceChildren();
    for (const field of Object.values(this.#fields)) field.clear();
  }

  async #submit() {
    this.#clear();
    this.#tidy();
    const errors = Object.keys(this.#fields)
      .map((name) => this.#check(name, { complete: true }))
      .filter(Boolean);
    if (errors.length) {
      showSummary(this.#summary, errors);
      return;
    }
    await busy(this.#button, "Working out the tax…", async () => {
      try {
        await this.#onDone(this.#read());
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (!this.refuse(error)) this.#summary.replaceChildren(problemNotice(error.data));
      }
    });
  }
}

/** @param {string} name of a field @param {Buyer} buyer @returns {string} what is wrong with it */
function wrong(name, buyer) {
  const inIndia = buyer.country === INDIA;
  if (name === "name") {
    if (!buyer.name) return "Write your name, or your company's.";
    return buyer.name.length > LONGEST_NAME ? `Use at most ${LONGEST_NAME} characters.` : "";
  }
  if (name === "country") return buyer.country ? "" : "Choose your country.";
  if (name === "state") return inIndia && !buyer.state ? "Choose your state." : "";
  return inIndia && buyer.gstin ? gstinProblem(buyer.gstin, buyer.state) : "";
}

/** @param {Buyer} buyer @returns {string} where they are, such as "Maharashtra, India" */
export function placeOf({ country, state }) {
  return [STATES[state], countryName(country)].filter(Boolean).join(", ");
}

/** @param {HTMLElement} select @param {string} prompt @param {{code: string, name: string}[]} items */
function fill(select, prompt, items) {
  const options = items.map(({ code, name }) => element("option", { value: code }, name));
  select.replaceChildren(element("option", { value: "" }, prompt), ...options);
}
