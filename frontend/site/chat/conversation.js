const KEY = "tracemypods.conversation";

/** What the service takes in one request is more than this, and more than models take in. */
const MOST_TURNS = 200;
const MOST_CHARACTERS = 300_000;

/**
 * @typedef {object} Turn a question with its answer
 * @property {string} question
 * @property {string} answer Markdown, as far as it has come
 * @property {"waiting"|"streaming"|"done"|"stopped"|"failed"} state
 * @property {string} [model] the name that answered
 * @property {"stop"|"length"} [finish_reason]
 * @property {{prompt_tokens: number, completion_tokens: number}} [usage]
 * @property {{state: string, age?: number, question?: string, shared?: boolean, entry?: string}} [cache] where the
 *   answer came from; age in seconds, and the question that it was given to
 * @property {string} [request_id]
 * @property {number} [dropped_messages] how many of the oldest were left out
 * @property {number} [first_ms] from asking to the first text
 * @property {number} [total_ms] from asking to the end
 * @property {import("./problems.js").ProblemData} [problem] when it failed
 * @property {boolean} [reloaded] stopped because the page was left
 */

/** The turns of this tab's conversation, kept in sessionStorage so that a reload keeps them. */
export class Conversation {
  /** @type {Turn[]} */
  turns = [];

  constructor() {
    try {
      const saved = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
      if (Array.isArray(saved)) this.turns = saved.filter(isTurn).map(settled);
    } catch {
      // unreadable or no storage: an empty conversation
    }
  }

  get last() {
    return this.turns.at(-1);
  }

  /** @param {string} question @returns {Turn} */
  add(question) {
    /** @type {Turn} */
    const turn = { question, answer: "", state: "waiting" };
    this.turns.push(turn);
    return turn;
  }

  /** @param {Turn} turn */
  remove(turn) {
    this.turns = this.turns.filter((other) => other !== turn);
    this.save();
  }

  clear() {
    this.turns = [];
    this.save();
  }

  save() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.turns));
    } catch {
      // full or switched off: the conversation then lasts as long as the page
    }
  }

  /**
   * What the model is sent to answer `turn`: the latest turns before it that have an answer, then
   * its question. Questions that failed are left out, so that roles alternate.
   *
   * @param {Turn} turn
   */
  messagesFor(turn) {
    const before = this.turns.slice(0, this.turns.indexOf(turn));
    const answered = before.filter((one) => one.answer).slice(-MOST_TURNS);
    const messages = [{ role: "user", content: turn.question }];
    let room = MOST_CHARACTERS;
    for (const { question, answer } of answered.reverse()) {
      room -= question.length + answer.length;
      if (room < 0) break;
      messages.unshift({ role: "user", content: question }, { role: "assistant", content: answer });
    }
    return messages;
  }
}

/** @returns {one is Turn} */
function isTurn(one) {
  return typeof one?.question === "string" && typeof one.answer === "string";
}

/** A turn that was still running when the page was left has stopped. */
function settled(turn) {
  const running = turn.state === "waiting" || turn.state === "streaming";
  return running ? { ...turn, state: "stopped", reloaded: true } : turn;
}
