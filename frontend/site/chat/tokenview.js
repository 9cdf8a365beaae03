import { element } from "/design/element.js";
import { copyButton } from "/design/clipboard.js";
import { announce } from "./announce.js";
import { timeLeft } from "./format.js";
import { Problem, explain, waitingTime } from "./problems.js";
import { TokenEntry } from "./tokenentry.js";

const PANEL = {
  none: [
    "Take a free token to start",
    "A token is what lets you ask. It costs nothing, needs no account, and runs out after a while.",
    "Get a free token",
  ],
  expired: [
    "Your token has expired",
    "Take a new one to go on; the conversation stays as it is.",
    "Get a new token",
  ],
  refused: [
    "Your token is no longer accepted",
    "It was removed, here or elsewhere. Take a new one to go on; the conversation stays as it is.",
    "Get a new token",
  ],
};

/** What a person sees of the access token: the panel that offers one, and the time it has left. */
export class TokenView {
  #token;
  #panel = document.getElementById("token-panel");
  #card = document.getElementById("token-card");
  #meter = document.getElementById("token-meter");
  #title = document.getElementById("token-title");
  #remove = document.getElementById("token-remove");
  #besideCard = document.getElementById("token-entry");
  /** @type {TokenEntry} the one in the panel, and the one in the side bar */
  #panelEntry;
  #cardEntry;
  #shown = "";
  #panelWanted = () => true;
  #onTaken;

  /**
   * @param {import("./token.js").AccessToken} token
   * @param {() => boolean} panelWanted false while a turn itself offers a new token
   * @param {() => void} onTaken the panel's button has brought a token
   */
  constructor(token, panelWanted, onTaken) {
    this.#onTaken = onTaken;
    this.#token = token;
    this.#panelWanted = panelWanted;
    const entered = () => {
      announce(`Your ${token.plan} token is in use.`);
      onTaken();
    };
    this.#panelEntry = new TokenEntry(token, entered);
    this.#cardEntry = new TokenEntry(token, entered);
    this.#besideCard.append(this.#cardEntry.node);
    const copy = copyButton(() => token.value, { what: "token" });
    this.#remove.before(copy);
    this.#remove.addEventListener("click", () => this.#takeAway());
    token.addEventListener("change", () => this.show());
    setInterval(() => this.#tick(), 1000);
    this.show();
  }

  show() {
    const state = this.#token.state;
    this.#shown = state;
    this.#card.dataset.state = state;
    this.#card.hidden = state === "none" || state === "refused";
    const premium = this.#token.plan === "premium";
    this.#title.textContent = premium ? "Premium token" : "Free token";
    this.#remove.textContent = premium ? "Forget it here" : "Remove";
    this.#panel.hidden = state === "valid" || !this.#panelWanted();
    this.#panel.replaceChildren();
    if (!this.#panel.hidden) this.#panel.append(...this.#content(state));
    this.#besideCard.hidden = !this.#panel.hidden;
    this.#tick();
  }

  /**
   * Bring the person to where a token can be entered: the panel, or the side bar when there is none.
   *
   * @returns {boolean} whether it is the panel
   */
  enter() {
    const inPanel = !this.#panel.hidden;
    (inPanel ? this.#panelEntry : this.#cardEntry).open();
    return inPanel;
  }

  #tick() {
    const { state, secondsLeft, shareLeft } = this.#token;
    if (state !== this.#shown) {
      this.show();
      if (state === "expired") announce("Your token has expired.");
      return;
    }
    const text = { valid: timeLeft(secondsLeft), none: "no token" }[state] ?? "expired";
    for (const node of document.querySelectorAll("[data-time-left]")) node.textContent = text;
    this.#meter.style.width = `${shareLeft * 100}%`;
  }

  #content(state) {
    const [title, text, action] = PANEL[state];
    const taken = () => {
      announce("You have a token. Ask away.");
      this.#onTaken();
    };
    return [
      element("h2", {}, title),
      element("p", {}, text),
      takeTokenButton(this.#token, action, taken),
      this.#panelEntry.node,
    ];
  }

  async #takeAway() {
    const message = document.getElementById("token-message");
    message.textContent = "";
    this.#remove.disabled = true;
    try {
      await this.#token.remove();
      announce("Token removed.");
      this.#panel.querySelector("button")?.focus();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      message.textContent = `The token could not be removed. ${explain(error.data).text}`;
    } finally {
      this.#remove.disabled = false;
    }
  }
}

/**
 * A button that takes a free token and then goes on; when none is given it says why, beside
 * itself.
 *
 * @param {import("./token.js").AccessToken} token
 * @param {string} label
 * @param {() => void} onTaken
 */
export function takeTokenButton(token, label, onTaken) {
  const message = element("p", { role: "alert", class: "take-message" });
  const button = element("button", { class: "button", type: "button" }, label);
  button.addEventListener("click", async () => {
    button.setAttribute("aria-disabled", "true");
    message.textContent = "";
    try {
      await token.take();
      onTaken();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      message.textContent = whyNone(error.data);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  return element("div", { class: "take-token" }, button, message);
}

/** @param {import("./problems.js").ProblemData} problem */
function whyNone(problem) {
  if (problem.status !== 429) {
    const { title, text } = explain(problem);
    return `No token could be issued. ${title}. ${text}`;
  }
  const wait = problem.retry_after ? waitingTime(problem.retry_after) : "";
  return ["No more free tokens for now.", problem.detail, wait].filter(Boolean).join(" ");
}
