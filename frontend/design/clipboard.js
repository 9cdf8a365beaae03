import { element } from "./element.js";
import { icon } from "./icons.js";

const SHOWN_MS = 1600;

/**
 * Put text on the clipboard; over plain HTTP browsers offer only the old way.
 *
 * @param {string} text
 * @returns {Promise<boolean>} whether it was copied
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { class: "visually-hidden", "aria-hidden": "true" });
    field.value = text;
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return copied;
  }
}

/**
 * A button that copies what `text()` gives at the time of the click and says so on itself.
 *
 * @param {() => string} text
 * @param {{label?: string, what: string}} options `what` names the thing for screen readers
 */
export function copyButton(text, { label = "Copy", what }) {
  const caption = element("span", {}, label);
  const drawn = element("span", {}, icon("copy"));
  const button = element(
    "button",
    { class: "button button-plain", type: "button", "aria-label": `${label} ${what}` },
    drawn,
    caption,
  );
  let timer;
  button.addEventListener("click", async () => {
    const copied = await copyText(text());
    caption.textContent = copied ? "Copied" : "Not copied";
    button.setAttribute("aria-label", `${caption.textContent}: ${what}`);
    drawn.replaceChildren(icon(copied ? "check" : "copy"));
    clearTimeout(timer);
    timer = setTimeout(() => {
      caption.textContent = label;
      button.setAttribute("aria-label", `${label} ${what}`);
      drawn.replaceChildren(icon("copy"));
    }, SHOWN_MS);
  });
  return button;
}
