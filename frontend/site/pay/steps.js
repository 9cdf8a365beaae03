/** The steps of buying, in their order; the last two are both shown by the order's own panel. */
export const STEPS = ["plan", "email", "buyer", "pay", "token"];

const TITLE = document.title;

/** Which step is shown, and the row of steps above it. */
export class Steps {
  #buttons = document.querySelectorAll("[data-go]");
  #panels = document.querySelectorAll("[data-panel]");
  current = "";

  /** @param {(step: string) => void} onGo a step before the current one was chosen */
  constructor(onGo) {
    for (const button of this.#buttons) {
      button.addEventListener("click", () => onGo(button.dataset.go));
    }
  }

  /**
   * @param {string} step
   * @param {{panel?: string, focus?: boolean, back?: boolean}} [options] `panel` where it is not
   *   the step's own, `focus` to bring the person to its title, `back` whether steps before it
   *   can be gone back to
   */
  show(step, { panel = step, focus = false, back = true } = {}) {
    this.current = step;
    const place = STEPS.indexOf(step);
    for (const button of this.#buttons) {
      const own = STEPS.indexOf(button.dataset.go);
      const state = own < place ? "done" : own === place ? "now" : "next";
      button.parentElement.dataset.state = state;
      button.disabled = state !== "done" || !back;
      if (state === "now") button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
    let shown;
    for (const one of this.#panels) {
      one.hidden = one.dataset.panel !== panel;
      if (!one.hidden) shown = one;
    }
    const title = shown.querySelector("h2");
    title.querySelector("[data-number]").textContent = `Step ${place + 1} of ${STEPS.length}: `;
    document.title = `${title.textContent} · ${TITLE}`;
    if (!focus) return;
    window.scrollTo({ top: 0, behavior: "instant" });
    title.focus({ preventScroll: true });
  }
}
