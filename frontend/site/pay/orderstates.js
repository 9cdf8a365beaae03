/**
 * What is said of an order, by the state that it is in.
 *
 * @typedef {object} Said
 * @property {"pay"|"token"} step
 * @property {string} title
 * @property {string} text what has happened, and what to do next
 * @property {boolean} [payable] whether it can be paid now
 * @property {boolean} [token] whether its token can be had
 * @property {boolean} [over] whether a new order may be wanted instead
 */

/** @type {Record<string, Said>} */
const SAID = {
  awaiting_payment: {
    step: "pay",
    title: "Your order waits for payment",
    text: "If you have paid already, there is nothing to do: this page notices by itself, and so does the service when you leave.",
    payable: true,
  },
  confirming: {
    step: "pay",
    title: "Your payment is being confirmed",
    text: "Don't pay again. This takes a few seconds; with some banks it takes minutes. You can leave this page and come back by its link.",
  },
  paid: {
    step: "token",
    title: "Your payment has arrived",
    text: "The token is being made, which takes a few seconds. Nothing is lost if you leave: come back by this page's link.",
  },
  shown: {
    step: "token",
    title: "Here is your premium token",
    text: "Your payment has arrived, and the token works already.",
  },
  ready: {
    step: "token",
    title: "Your token is ready",
    text: "Your payment has arrived. To see the token, confirm the e-mail address that you ordered with once more: a link alone shows it to nobody.",
    token: true,
  },
  fulfilled: {
    step: "token",
    title: "Your token was shown already",
    text: "If you have lost it, you can have it again: confirm the e-mail address that you ordered with.",
    token: true,
  },
  refunding: {
    step: "token",
    title: "Your payment goes back",
    text: "A refund has been begun. Razorpay sends it to where the money came from, and banks usually take five to seven working days.",
  },
  refunded: {
    step: "token",
    title: "Your payment was refunded",
    text: "All of it went back to where it came from, and the token has ended. Banks usually take five to seven working days to show it.",
    over: true,
  },
  partially_refunded: {
    step: "token",
    title: "A part of your payment was refunded",
    text: "It went back to where it came from; the token goes on as it is. If you have lost it, confirm the e-mail address that you ordered with.",
    token: true,
  },
  disputed: {
    step: "token",
    title: "The payment is disputed",
    text: "Your bank has asked for it back, so the token rests until that is decided. If you did not mean to, write to the seller or to your bank.",
  },
  dispute_lost: {
    step: "token",
    title: "The payment was taken back",
    text: "Your bank decided the dispute against the seller, and the token has ended.",
    over: true,
  },
  expired: {
    step: "pay",
    title: "This order has expired",
    text: "It was not paid in time. If you have paid after all, leave this link open or come back to it: a payment that arrives late still counts.",
    over: true,
  },
};

/**
 * @param {import("./api.js").Order} order
 * @param {{confirming: boolean, shown: boolean}} here what this page knows besides
 * @returns {Said}
 */
export function said({ status, steps }, { confirming, shown }) {
  if (shown) return SAID.shown;
  if (status === "awaiting_payment" && confirming) return SAID.confirming;
  if (status === "fulfilled" && !steps?.token_shown) return confirming ? SAID.paid : SAID.ready;
  return (
    SAID[status] ?? {
      step: "pay",
      title: "Your order",
      text: `Its state is “${status}”, of which this page knows nothing more. Reload the page; it may be older than the service.`,
    }
  );
}

/**
 * The way from payment to token, as far as it has been gone.
 *
 * @param {import("./api.js").Order} order
 * @returns {{name: string, state: "done"|"now"|"next", said: string}[]} none when it led elsewhere
 */
export function progress({ status, steps }) {
  if (!["awaiting_payment", "paid", "fulfilled"].includes(status)) return [];
  const paid = Boolean(steps?.paid) || status !== "awaiting_payment";
  const issued = Boolean(steps?.token_issued) || status === "fulfilled";
  const way = [
    { name: "Payment", done: paid, said: ["waited for", "arrived"] },
    { name: "Token", done: issued, said: ["comes after it", "made"], busy: "being made" },
  ];
  if (steps?.invoice) {
    const sent = steps.invoice === "sent";
    const number = steps.invoice_number ? `${steps.invoice_number}, ` : "";
    const before = steps.invoice === "delayed" ? "delayed: the seller sees to it" : "comes by e-mail";
    way.push({ name: "Invoice", done: sent, said: [before, `${number}sent by e-mail`] });
  }
  const now = way.findIndex((one) => !one.done);
  return way.map(({ name, done, said: [before, after], busy }, at) => ({
    name,
    state: done ? "done" : at === now ? "now" : "next",
    said: done ? after : at === now && busy ? busy : before,
  }));
}
