const NEAR_PX = 96;

/**
 * Keeps the end of a growing page in view, until the person scrolls up; a button, or scrolling
 * back down, takes it up again.
 */
export class Following {
  #on = true;
  #last = 0;
  #button;

  /** @param {HTMLButtonElement} button */
  constructor(button) {
    this.#button = button;
    button.addEventListener("click", () => this.start());
    window.addEventListener("scroll", () => this.#scrolled(), { passive: true });
  }

  /** The page has grown. */
  grown() {
    if (this.#on) this.#toEnd();
    else this.#show();
  }

  start() {
    this.#on = true;
    this.#toEnd();
  }

  #toEnd() {
    window.scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    this.#show();
  }

  #scrolled() {
    const up = window.scrollY < this.#last - 1;
    this.#last = window.scrollY;
    if (this.#left() < NEAR_PX) this.#on = true;
    else if (up) this.#on = false;
    this.#show();
  }

  #left() {
    return document.documentElement.scrollHeight - window.scrollY - window.innerHeight;
  }

  #show() {
    this.#button.hidden = this.#on || this.#left() < NEAR_PX;
  }
}
