/** The side bar; on narrow screens a sheet that a button in the header opens. */
export class Settings {
  #sheet = document.getElementById("settings");
  #button = document.getElementById("settings-button");

  constructor() {
    this.#button.addEventListener("click", () => this.#set(!this.#open));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#open || pickerIsOpen()) return;
      event.preventDefault();
      this.close();
      this.#button.focus();
    }, { capture: true });
    document.addEventListener("pointerdown", (event) => {
      const inside = [this.#sheet, this.#button].some((node) => node.contains(event.target));
      if (this.#open && !inside) this.close();
    });
  }

  get #open() {
    return this.#button.getAttribute("aria-expanded") === "true";
  }

  close() {
    this.#set(false);
  }

  /** Open the sheet where there is one, then do something inside. @param {() => void} then */
  reveal(then) {
    if (this.#button.checkVisibility()) this.#set(true);
    then();
  }

  #set(open) {
    this.#button.setAttribute("aria-expanded", String(open));
    this.#sheet.dataset.open = String(open);
  }
}

/** An open list of options is what Escape closes first. */
function pickerIsOpen() {
  return CSS.supports("selector(select:open)") && Boolean(document.querySelector("select:open"));
}
