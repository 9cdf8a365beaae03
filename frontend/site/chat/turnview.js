import { copyButton } from "/design/clipboard.js";
import { element } from "/design/element.js";
import { icon } from "/design/icons.js";
import { GrowingAnswer, showAnswer } from "./answer.js";
import { age, counted, number, seconds } from "./format.js";
import { Problem, explain } from "./problems.js";

/**
 * @typedef {object} TurnActions what a turn's buttons do
 * @property {(turn: Turn) => void} again ask its question anew
 * @property {() => void} goOn have the model continue a cut answer
 * @property {(turn: Turn) => void} edit take the question back into the composer
 * @property {() => void} chooseModel
 * @property {(label: string, onTaken: () => void) => HTMLElement} takeToken a button for it
 * @property {(name: string|undefined) => string} labelOf a model's label
 * @property {(turn: Turn) => Promise<void>} sayWrong its cached answer answers something else
 * @property {() => void} grown the page got longer
 */

/** @typedef {import("./conversation.js").Turn} Turn */

const WAITING = "Waiting for the model";

/** One turn on the page: the question, the answer as it grows, and what is known about it. */
export class TurnView {
  #turn;
  #actions;
  #prose = element("div", { class: "prose" });
  #notes = element("div", { class: "turn-notes" });
  #by = element("h2", { class: "turn-by" });
  #foot = element("div", { class: "turn-foot" });
  /** @type {GrowingAnswer|null} */
  #growing = null;
  #waitTimer;
  #waitingFor = WAITING;

  /** @param {Turn} turn @param {TurnActions} actions */
  constructor(turn, actions) {
    this.#turn = turn;
    this.#actions = actions;
    this.node = element(
      "article",
      { class: "turn" },
      element(
        "div",
        { class: "question" },
        element("h2", { class: "turn-by" }, "You"),
        element("p", { class: "question-text" }, turn.question),
      ),
      element("div", { class: "answer" }, this.#by, this.#prose, this.#notes, this.#foot),
    );
    if (turn.answer) showAnswer(this.#prose, turn.answer);
    if (turn.state !== "waiting") this.settle();
  }

  /** A question goes out, for the first time or again. */
  begin() {
    this.#prose.replaceChildren();
    this.#notes.replaceChildren();
    this.#foot.replaceChildren();
    this.#growing = new GrowingAnswer(this.#prose, this.#actions.grown);
    this.#mark();
    const started = performance.now();
    this.#waitingFor = WAITING;
    const waiting = element("p", { class: "waiting" }, this.#waitingFor);
    this.#notes.append(waiting);
    clearInterval(this.#waitTimer);
    this.#waitTimer = setInterval(() => {
      const waited = Math.round((performance.now() - started) / 1000);
      waiting.textContent = `${this.#waitingFor}, ${waited} s`;
    }, 1000);
  }

  /** What the question waits for, as the service tells it. */
  showStatus({ state, position }) {
    const queued = position ? `In the queue, place ${position}` : "In the queue";
    const known = { queued, loading: "The model is being loaded" };
    this.#waitingFor = known[state] ?? WAITING;
    const waiting = this.#notes.querySelector(".waiting");
    if (waiting) waiting.textContent = this.#waitingFor;
  }

  /** The oldest messages did not fit; said while the answer is written, and after. */
  showDropped() {
    const count = this.#turn.dropped_messages;
    if (!count || this.#notes.querySelector(".dropped")) return;
    const messages = counted(count, "message", "messages");
    this.#notes.append(
      element(
        "p",
        { class: "notice dropped" },
        `The oldest ${messages} no longer fit the model's context and were left out.`,
      ),
    );
  }

  /** @param {string} text */
  append(text) {
    if (this.#turn.state === "waiting") this.#stopWaiting();
    this.#growing?.append(text);
  }

  /** Text has begun to arrive, or the answer has ended: the heading and marks follow. */
  #mark() {
    this.node.dataset.state = this.#turn.state;
    this.#by.textContent = this.#actions.labelOf(this.#turn.model);
  }

  #stopWaiting() {
    clearInterval(this.#waitTimer);
    this.#notes.querySelector(".waiting")?.remove();
    this.node.dataset.state = "streaming";
  }

  /** The answer has ended, one way or another. */
  settle() {
    this.#stopWaiting();
    this.#growing?.finish();
    this.#growing = null;
    this.#mark();
    this.showDropped();
    const turn = this.#turn;
    if (turn.state === "stopped") this.#notes.append(stoppedNote(turn));
    if (turn.problem) this.#notes.append(this.#problemNotice(turn.problem));
    if (turn.finish_reason === "length") this.#notes.append(this.#cutNotice());
    if (turn.cache?.state === "semantic") {
      this.#notes.append(this.#sameQuestionNotice(turn.cache));
    }
    this.#foot.replaceChildren(...this.#footContent());
    this.#actions.grown();
  }

  #cutNotice() {
    return element(
      "div",
      { class: "notice cut" },
      "The answer was cut at the model's limit.",
      button("Continue", () => this.#actions.goOn()),
    );
  }

  /** The answer was given to another question that asks the same: which, and what to do if not. */
  #sameQuestionNotice(cache) {
    const said = element("p", { role: "status" });
    const wrong = button("Wrong answer", async () => {
      wrong.disabled = true;
      try {
        await this.#actions.sayWrong(this.#turn);
        said.textContent = `Thank you. ${
          cache.shared ? "The operator will see it, and you won't get it again" : "It is deleted"
        }; ask fresh for one of the model's own.`;
        wrong.remove();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        said.textContent = `That could not be said: ${explain(error.data).text}`;
        wrong.disabled = false;
      }
    });
    return element(
      "div",
      { class: "notice same-question" },
      element("p", {}, origin(cache)),
      ...(cache.question ? [element("blockquote", {}, cache.question)] : []),
      element("p", {}, cache.age >= 1 ? `It is ${age(cache.age)} old.` : "It was just made."),
      element(
        "div",
        { class: "remedies" },
        button("Ask fresh", () => this.#actions.again(this.#turn)),
        wrong,
      ),
      said,
    );
  }

  /** @param {import("./problems.js").ProblemData} problem */
  #problemNotice(problem) {
    const { title, text, remedy } = explain(problem);
    const notice = element(
      "div",
      { class: "notice notice-danger problem", role: "alert" },
      element("strong", {}, title),
      element("p", {}, text),
      ...this.#remedies(remedy),
    );
    const reference = [problem.code, problem.request_id].filter(Boolean).join(" · ");
    notice.append(element("p", { class: "reference" }, reference));
    return notice;
  }

  #remedies(remedy) {
    const again = () => this.#actions.again(this.#turn);
    const retry = button("Try again", again);
    switch (remedy) {
      case "token":
        return [this.#actions.takeToken("Get a free token and ask", again)];
      case "models":
      case "premium":
        return [
          element(
            "div",
            { class: "remedies" },
            remedy === "premium" && buyLink(),
            button("Choose a model", () => this.#actions.chooseModel()),
            retry,
          ),
        ];
      case "edit":
        return [button("Edit the question", () => this.#actions.edit(this.#turn))];
      case "none":
        return [];
      default:
        return [retry];
    }
  }

  #footContent() {
    const turn = this.#turn;
    const content = [];
    if (turn.answer) {
      content.push(copyButton(() => turn.answer, { what: "answer" }));
    }
    if (turn.state === "done" || turn.state === "stopped") {
      content.push(
        element(
          "button",
          {
            class: "button button-plain again",
            type: "button",
            onclick: () => this.#actions.again(turn),
          },
          icon("again"),
          "Ask again",
        ),
      );
    }
    if (turn.state === "done" && turn.total_ms) content.push(trace(turn));
    return content;
  }
}

/** @param {Turn} turn */
function stoppedNote(turn) {
  const how = turn.reloaded ? "Stopped when the page was left" : "Stopped";
  return element("p", { class: "stopped" }, turn.answer ? how : `${how} before the first word`);
}

/** The conversation is kept in the tab: who comes back finds it as it was. */
function buyLink() {
  const look = "button button-quiet button-small";
  return element("a", { class: look, href: "/pay.html" }, "Buy a premium token");
}

function button(label, onclick) {
  return element(
    "button",
    { class: "button button-quiet button-small", type: "button", onclick },
    label,
  );
}

/** The turn as a small trace: how long it waited, how long it wrote, and the numbers behind. */
function trace(turn) {
  const waited = turn.first_ms ?? turn.total_ms;
  const wait = element("span", { class: "trace-wait" });
  const write = element("span", { class: "trace-write" });
  wait.style.flexGrow = String(waited);
  write.style.flexGrow = String(Math.max(0, turn.total_ms - waited));
  const rows = [
    ["First word", seconds(waited)],
    ["Whole answer", seconds(turn.total_ms)],
    turn.usage && ["Tokens read", number(turn.usage.prompt_tokens)],
    turn.usage && ["Tokens written", number(turn.usage.completion_tokens)],
    fromCache(turn) && ["From the cache", fromCache(turn)],
    turn.request_id && ["Request", element("code", {}, turn.request_id)],
  ].filter(Boolean);
  return element(
    "details",
    { class: "trace disclosure" },
    element(
      "summary",
      {},
      element("span", { class: "trace-bar", "aria-hidden": "true" }, wait, write),
      element("span", {}, seconds(turn.total_ms)),
    ),
    element(
      "dl",
      { class: "facts" },
      ...rows.map(([term, value]) =>
        element("div", {}, element("dt", {}, term), element("dd", {}, value)),
      ),
    ),
  );
}

/**
 * What kind of answer it is. The question that follows is the person's own, or in words of an
 * operator's; of a shared answer it may not be shown at all.
 *
 * @param {{shared?: boolean, question?: string}} cache
 * @returns {string}
 */
function origin({ shared, question }) {
  if (!shared) return "From the cache: the answer to";
  return question
    ? "From the answers that this service's operator has approved: the answer to"
    : "From the answers that this service's operator has approved for questions like yours.";
}

/** @param {Turn} turn @returns {string} how old a cached answer is; empty for a fresh one */
function fromCache({ cache }) {
  if (cache?.state !== "exact" && cache?.state !== "semantic") return "";
  return cache.age >= 1 ? `${age(cache.age)} old` : "just made";
}
