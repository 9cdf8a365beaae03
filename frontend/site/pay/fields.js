import { element } from "/design/element.js";

/**
 * A form's field with what is wrong with it beside it. The error's element has the field's id and
 * `-error`, and the field names it in aria-describedby.
 */
export class Field {
  /** @param {HTMLInputElement|HTMLSelectElement} input @param {HTMLElement} error */
  constructor(input, error) {
    this.input = input;
    this.error = error;
  }

  /** @param {string} id of a field that the page has */
  static of(id) {
    return new Field(document.getElementById(id), document.getElementById(`${id}-error`));
  }

  get value() {
    return this.input.value.trim();
  }

  get label() {
    return this.input.labels?.[0]?.firstChild?.textContent.trim() ?? "";
  }

  /** @param {string} message */
  fail(message) {
    this.error.textContent = message;
    this.input.setAttribute("aria-invalid", "true");
  }

  clear() {
    this.error.textContent = "";
    this.input.removeAttribute("aria-invalid");
  }
}

/**
 * Say all errors in one place above a form, each with a link to its field, and bring the person
 * there.
 *
 * @param {HTMLElement} node where it goes
 * @param {[Field, string][]} errors
 */
export function showSummary(node, errors) {
  const count = errors.length;
  const title = count === 1 ? "One thing needs correcting" : `${count} things need correcting`;
  const links = errors.map(([field, message]) => {
    const link = element("a", { href: `#${field.input.id}` }, `${field.label}: ${message}`);
    link.addEventListener("click", (event) => {
      event.preventDefault(); // the address bar's fragment is an order's
      field.input.focus();
    });
    return element("li", {}, link);
  });
  const box = element(
    "div",
    { class: "notice notice-danger summary", tabindex: "-1", role: "group", "aria-label": title },
    element("strong", {}, title),
    element("ul", {}, ...links),
  );
  node.replaceChildren(box);
  box.focus();
}

/**
 * A button that says it is at work, and takes no second click meanwhile. It stays focusable.
 *
 * @param {HTMLElement} button
 * @param {string} label while it works
 * @param {() => Promise<void>} work
 */
export async function busy(button, label, work) {
  if (button.getAttribute("aria-disabled")) return;
  const before = [...button.childNodes];
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-busy", "true");
  button.replaceChildren(label);
  try {
    await work();
  } finally {
    button.removeAttribute("aria-disabled");
    button.removeAttribute("aria-busy");
    button.replaceChildren(...before);
  }
}
