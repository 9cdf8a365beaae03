import { element } from "/design/element.js";
import { waitingTime } from "/chat/problems.js";

/** @typedef {import("/chat/problems.js").ProblemData} ProblemData */

/**
 * What can go wrong while buying: what happened, and what to do next. Codes are the services', and
 * `network`, `unexpected_answer`, `checkout_…` and `link` the page's own.
 *
 * @type {Record<string, [title: string, text: string]>}
 */
const KNOWN = {
  mail_limit: [
    "Too many codes were asked for",
    "No other code is sent for now. One that has arrived still works.",
  ],
  resend_too_soon: ["That was too soon", "A code is on its way already. Look into your spam folder."],
  mail_unavailable: [
    "The code could not be sent",
    "The mail server is not answering. Nothing is lost; try again in a moment.",
  ],
  challenge_over: [
    "This code can't be used any more",
    "It has expired, was used, or was mistyped too often. Have a new one sent.",
  ],
  verification_invalid: [
    "Please confirm your e-mail address once more",
    "A confirmation holds for a short time only, and yours is over. Everything else is kept.",
  ],
  plan_unavailable: ["This plan can't be bought just now", "Choose another one, or try again later."],
  too_many_open_orders: [
    "Too many orders wait for payment",
    "Your address has as many unpaid orders as it may have. Pay one of them by its link, or wait until they expire.",
  ],
  payment_unavailable: [
    "Payments can't be taken just now",
    "Razorpay is not answering. Nothing was taken; try again in a moment.",
  ],
  rate_limited: ["Too many requests at once", "Wait a moment, and try again."],
  shutting_down: ["The service is restarting", "Try again in a few seconds."],
  gateway: [
    "The service can't be reached behind its gateway",
    "It may be starting up. Try again in a few seconds.",
  ],
  network: [
    "The connection failed",
    "The service could not be reached. Check that you are online, then try again.",
  ],
  unexpected_answer: [
    "The service gave an answer that this page can't read",
    "Something between this page and the service may have changed it. Try again.",
  ],
  checkout_blocked: [
    "The payment window could not be loaded",
    "Check that you are online and that no ad blocker stops Razorpay's script, then try again. Nothing was taken.",
  ],
  checkout_refused: [
    "The payment window was not opened",
    "The service named an address for it that this page does not trust. Nothing was taken; please tell this site's operator.",
  ],
  unconfirmed: [
    "The payment window's word was not accepted",
    "If you have paid, don't pay again: wait here, and the service asks Razorpay itself. If you have not, nothing was taken.",
  ],
  link: [
    "This link leads to no order",
    "A part of it may be missing: copy all of it. If you have lost it, write to the seller and name your e-mail address.",
  ],
};

/** Codes whose detail says more than a fixed text could. */
const TELLING = new Set(["plan_unavailable", "mail_limit", "too_many_open_orders"]);

/** @param {ProblemData} data @returns {{title: string, text: string}} */
export function explain(data) {
  const code = data.code.startsWith("gateway_") ? "gateway" : data.code;
  const [title, usual] = KNOWN[code] ?? [
    data.title || "Something went wrong",
    data.detail || "The service could not answer. Try again in a moment.",
  ];
  const parts = [usual];
  if (TELLING.has(code) && data.detail) parts.unshift(data.detail);
  if (data.retry_after) parts.push(waitingTime(data.retry_after));
  return { title, text: parts.join(" ") };
}

/**
 * A problem as it is shown, with what the person can do about it.
 *
 * @param {ProblemData} data
 * @param {...HTMLElement} remedies
 */
export function problemNotice(data, ...remedies) {
  const { title, text } = explain(data);
  const reference = [data.code, data.request_id].filter(Boolean).join(" · ");
  return element(
    "div",
    { class: "notice notice-danger problem", role: "alert" },
    element("strong", {}, title),
    element("p", {}, text),
    ...remedies,
    element("p", { class: "reference" }, reference),
  );
}

/** @param {string} label @param {() => void} onclick */
export function smallButton(label, onclick) {
  const look = { class: "button button-quiet button-small", type: "button", onclick };
  return element("button", look, label);
}

/** A service's words about a field, as a sentence. @param {string} text */
export function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
