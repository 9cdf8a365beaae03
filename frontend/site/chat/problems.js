import { counted } from "./format.js";

/**
 * What can go wrong, in a person's words. The server's codes come from its problem documents;
 * `network`, `silent`, `cut_off` and `unexpected_answer` are this page's own.
 */

/** @typedef {"token"|"retry"|"models"|"premium"|"edit"|"none"} Remedy what the person is offered to do */

/**
 * @typedef {object} ProblemData
 * @property {string} code
 * @property {number} [status]
 * @property {string} [title]
 * @property {string} [detail]
 * @property {string} [request_id]
 * @property {{field?: string, message: string}[]} [errors]
 * @property {number} [retry_after] seconds
 */

/** A failed request or stream, with the problem document that describes it. */
export class Problem extends Error {
  /** @param {ProblemData} data */
  constructor(data) {
    super(data.title || data.code);
    this.data = data;
  }

  get code() {
    return this.data.code;
  }
}

/** @type {Record<string, [title: string, text: string, remedy: Remedy]>} */
const KNOWN = {
  token_missing: [
    "This question needs a token",
    "Take a free one and the question is asked again as you wrote it.",
    "token",
  ],
  token_malformed: [
    "The token is not a valid one",
    "It may have been cut short when it was copied. Take a new one and the question is asked again.",
    "token",
  ],
  token_expired: [
    "Your token has expired",
    "Nothing is lost. Take a new one and the question is asked again as you wrote it.",
    "token",
  ],
  token_revoked: [
    "Your token is no longer accepted",
    "It was removed, here or elsewhere. Take a new one and the question is asked again.",
    "token",
  ],
  token_store_unavailable: [
    "Tokens can't be checked just now",
    "The service's token store is not answering. Your token is kept; try again in a moment.",
    "retry",
  ],
  model_unavailable: [
    "The model is not answering",
    "Its server is down or restarting. Try again in a moment, or choose another model.",
    "retry",
  ],
  model_timeout: [
    "The model took too long",
    "It did not answer within the time allowed. Try again, or ask something shorter.",
    "retry",
  ],
  model_not_installed: [
    "This model is not installed",
    "The catalogue names it, but the model server does not have it. Choose another model.",
    "models",
  ],
  model_unknown: [
    "There is no such model",
    "It may have been taken out of the catalogue. Choose another model.",
    "models",
  ],
  model_locked: [
    "Your token does not cover this model",
    "It needs a premium token. Buy one or enter the one that you have, or choose another model, and ask again.",
    "premium",
  ],
  model_busy: [
    "The model is busy",
    "It is loading, or answering others. Your question is kept; try again in a moment.",
    "retry",
  ],
  model_failed: [
    "The model could not answer this",
    "Its server refused the question. Try again, or put it another way.",
    "retry",
  ],
  context_exceeded: [
    "The question is too long for this model",
    "Shorten it, or choose a model that takes in more.",
    "edit",
  ],
  invalid_request: ["The question was not accepted", "The service could not read it.", "edit"],
  prompt_too_large: [
    "The question is too long",
    "Shorten it, or start a new conversation, and ask again.",
    "edit",
  ],
  body_too_large: [
    "The conversation is too long to send",
    "Shorten the question, or start a new conversation, and ask again.",
    "edit",
  ],
  rate_limited: [
    "Too many questions at once",
    "The limit for your token or address was reached. Your question is kept; try again later.",
    "retry",
  ],
  quota_exceeded: [
    "Today's allowance is used up",
    "Too little is left of it for this question. Your question is kept; a shorter one or a new conversation may still fit.",
    "retry",
  ],
  blocked: [
    "You can't ask here",
    "This site's operator has blocked this token, or the network that you use it from.",
    "none",
  ],
  shutting_down: [
    "The service is restarting",
    "The answer was cut short by a restart. Try again in a few seconds.",
    "retry",
  ],
  answer_interrupted: [
    "The answer broke off",
    "The model stopped in the middle. What had arrived is kept; try again for a whole answer.",
    "retry",
  ],
  gateway: [
    "The service can't be reached behind its gateway",
    "It may be starting up. Try again in a few seconds.",
    "retry",
  ],
  network: [
    "The connection failed",
    "The service could not be reached. Check that it is running and that you are online, then try again.",
    "retry",
  ],
  silent: [
    "The connection seems lost",
    "Nothing has arrived for 30 seconds. What had arrived is kept; try again.",
    "retry",
  ],
  cut_off: [
    "The connection ended too early",
    "The answer stopped without its end. What had arrived is kept; try again.",
    "retry",
  ],
  unexpected_answer: [
    "The service gave an answer that this page can't read",
    "Something between this page and the service may have changed it. Try again.",
    "retry",
  ],
};

/**
 * @param {ProblemData} data
 * @returns {{title: string, text: string, remedy: Remedy}}
 */
export function explain(data) {
  const code = data.code.startsWith("gateway_") ? "gateway" : data.code;
  const [title, usual, remedy] = KNOWN[code] ?? [
    data.title || "Something went wrong",
    data.detail || "The service could not answer.",
    "retry",
  ];
  const text = code === "invalid_request" ? whatIsInvalid(data) || usual : usual;
  const waits = remedy === "retry" && data.retry_after;
  return { title, text: waits ? `${text} ${waitingTime(data.retry_after)}` : text, remedy };
}

/** @param {ProblemData} data */
function whatIsInvalid({ errors = [], detail }) {
  const named = errors.map(({ field, message }) => (field ? `${field}: ${message}` : message));
  return named.length ? `${named.join("; ")}.` : detail;
}

/** @param {number} seconds */
export function waitingTime(seconds) {
  if (seconds < 90) return `Suggested wait: ${counted(Math.ceil(seconds), "second", "seconds")}.`;
  if (seconds < 5400) {
    return `Suggested wait: ${counted(Math.ceil(seconds / 60), "minute", "minutes")}.`;
  }
  return `Suggested wait: ${counted(Math.ceil(seconds / 3600), "hour", "hours")}.`;
}

/**
 * The problem that a response other than the hoped-for one describes.
 *
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
export async function problemOf(response) {
  const retry = Number(response.headers.get("Retry-After"));
  const retry_after = Number.isFinite(retry) && retry > 0 ? retry : undefined;
  try {
    const body = await response.json();
    if (typeof body?.code === "string") return new Problem({ retry_after, ...body });
  } catch {
    // not JSON: said by its status below
  }
  const code = [502, 503, 504].includes(response.status) ? "gateway_answer" : "unexpected_answer";
  return new Problem({ code, status: response.status, retry_after });
}

/** A fetch that could not be made at all is a problem like any other. */
export async function fetchOrProblem(resource, options) {
  try {
    return await fetch(resource, { cache: "no-store", credentials: "omit", ...options });
  } catch {
    throw new Problem({ code: "network" });
  }
}
