import { copyButton } from "/design/clipboard.js";
import { element } from "/design/element.js";
import { icon } from "/design/icons.js";
import { announce } from "/chat/announce.js";
import { Problem } from "/chat/problems.js";
import { api } from "./api.js";
import { busy } from "./fields.js";
import { linkOf } from "./link.js";
import { dateAndTime, duration, money } from "./money.js";
import { progress, said } from "./orderstates.js";
import { problemNotice, smallButton } from "./problems.js";
import { EmailProof } from "./proof.js";
import { openCheckout } from "./razorpay.js";
import { receipt } from "./receipt.js";
import { tokenBox } from "./tokenbox.js";
import { OrderWatch } from "./watch.js";

/**
 * @typedef {object} OrderActions
 * @property {(step: "pay"|"token", options: {focus: boolean}) => void} step show where it stands
 * @property {(order: import("./api.js").Order) => void} read it was read
 * @property {() => void} anew begin another order
 * @property {(id: string) => import("./api.js").Plan|undefined} plan
 * @property {() => string} inbox
 * @property {() => {email?: string, name?: string}} prefill what Razorpay need not ask
 */

/** Codes with which a payment's proof is refused for good. */
const REFUSED = new Set([400, 403, 404, 422]);

/** An order after it was made: paying it, how far it is, and its token. */
export class OrderView {
  #title = document.querySelector("#order-title [data-title]");
  #node = document.getElementById("order");
  #key;
  #actions;
  #access;
  #watch;
  /** What Razorpay's window has handed over; it is said again until the token has come. */
  #paid = null;
  /** @type {{token: string, expires_at?: string}|null} */
  #shown = null;
  #box = null;
  #proof = null;
  #failure;
  /** Whether Razorpay's window is open. */
  #open = false;
  /** These stay while the rest is drawn anew, so that the focus stays in them. */
  #payButton = element("button", { class: "button", type: "button", onclick: () => this.pay() });
  #wayBack;
  /** @type {Problem|null} */
  #problem = null;
  #drawn = "";

  /**
   * @param {import("./api.js").Key} key
   * @param {import("/chat/token.js").AccessToken} access this browser's token
   * @param {OrderActions} actions
   */
  constructor(key, access, actions) {
    this.#key = key;
    this.#access = access;
    this.#actions = actions;
    this.#wayBack = wayBack(linkOf(key));
    this.#watch = new OrderWatch(key, () => this.#sayPaid());
    this.#watch.addEventListener("change", () => this.#changed());
    this.#watch.addEventListener("problem", () => this.#unread());
  }

  /** Read the order and show it. */
  async start() {
    this.#title.textContent = "Your order";
    this.#node.replaceChildren(element("p", { class: "hint" }, "Looking up your order…"));
    await this.#watch.now();
  }

  stop() {
    this.#watch.stop();
  }

  /** Let the person pay. Whatever goes wrong is shown on the order. */
  async pay() {
    const { order } = this.#watch;
    if (!order?.razorpay || this.#open) return;
    this.#open = true;
    this.#failure = undefined;
    this.#problem = null;
    this.#draw();
    const { razorpay, price } = order;
    try {
      const outcome = await openCheckout(razorpay.checkout_url, {
        key: razorpay.key_id,
        order_id: razorpay.order_id,
        amount: price.total,
        currency: price.currency,
        name: "TraceMyPods",
        description: this.#planTitle(order),
        prefill: this.#actions.prefill(),
        notes: { order_id: order.order_id },
        theme: { color: "#0a6b4d" },
      });
      this.#paid = outcome.paid ?? null;
      this.#failure = outcome.paid ? undefined : outcome.failure;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#problem = error;
    }
    this.#open = false;
    this.#draw({ focus: Boolean(this.#paid) });
    await this.#watch.now();
  }

  /**
   * Tell the service what Razorpay's window has said; the token may come with its answer.
   *
   * @returns {Promise<boolean>} whether it has to be told again
   */
  async #sayPaid() {
    if (!this.#paid || this.#shown) return false;
    try {
      const { token, expires_at } = await api.verifyPayment(this.#key, this.#paid);
      this.#problem = null;
      if (token) this.#show({ token, expires_at });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const refused = REFUSED.has(error.data.status);
      this.#problem = refused ? new Problem({ ...error.data, code: "unconfirmed" }) : error;
      // The order itself is read next: a payment that came in shows there, whatever this was.
      if (refused) this.#paid = null;
    }
    return this.#paid !== null;
  }

  #show(token) {
    this.#shown = token;
    this.#paid = null;
    this.#problem = null;
    this.#box = tokenBox(token, this.#access);
  }

  #changed() {
    const { order } = this.#watch;
    this.#actions.read(order);
    if (order.status !== "awaiting_payment") this.#failure = undefined;
    // Its token was shown, in another tab or by an answer that got lost.
    if (order.steps?.token_shown) this.#paid = null;
    this.#draw();
  }

  #unread() {
    const { order, problem } = this.#watch;
    if (order) {
      this.#draw();
      return;
    }
    const lost = [401, 403, 404, 422].includes(problem.data.status);
    const data = lost ? { ...problem.data, code: "link" } : problem.data;
    const remedy = lost
      ? smallButton("Begin a new order", () => this.#actions.anew())
      : smallButton("Try again", () => this.#watch.now());
    this.#actions.step("pay", { focus: false });
    this.#node.replaceChildren(problemNotice(data, remedy));
  }

  /** Draw it anew if there is anything new. */
  #draw({ focus = false } = {}) {
    const { order, problem } = this.#watch;
    if (!order) return;
    const here = { confirming: Boolean(this.#paid), shown: Boolean(this.#shown) };
    const words = said(order, here);
    const { status, steps, attempts, history, razorpay, price } = order;
    const drawn = JSON.stringify([
      ...[words.title, status, steps, attempts, history, razorpay, price, this.#failure],
      ...[this.#open, this.#problem?.data, problem?.code],
    ]);
    if (drawn === this.#drawn && !focus) return;
    const first = !this.#drawn;
    this.#drawn = drawn;
    const news = this.#title.textContent !== words.title;
    const focused = this.#node.contains(document.activeElement) ? document.activeElement : null;
    this.#title.textContent = words.title;
    const unfolded = Boolean(this.#node.querySelector(".history[open]"));
    this.#node.replaceChildren(...this.#content(order, words, unfolded));
    // What the person was at may be gone; what is still there keeps its place.
    if (focused?.isConnected) focused.focus({ preventScroll: true });
    this.#actions.step(words.step, { focus: focus || Boolean(focused && !focused.isConnected) });
    if (news && !first && !focus) announce(`${words.title}. ${words.text}`);
  }

  #content(order, words, unfolded) {
    if (words.token && !this.#shown) this.#proof ??= this.#makeProof(order);
    return [
      element("p", { class: "lead" }, words.text),
      this.#watch.problem && this.#readProblem(),
      this.#shown && this.#box,
      this.#tokenInUse(words),
      words.token && !this.#shown && this.#proof.node,
      words.payable && this.#payment(order),
      !words.payable && !this.#watch.problem && this.#problem && problemNotice(this.#problem.data),
      progressList(order),
      this.#receipt(order),
      this.#wayBack,
      history(order, unfolded),
      (words.over || words.payable) && this.#anew(words),
    ].filter(Boolean);
  }

  #readProblem() {
    const again = smallButton("Look again", () => busy(again, "Looking…", () => this.#watch.now()));
    return problemNotice(this.#watch.problem.data, again);
  }

  #payment(order) {
    const last = order.attempts?.at(-1);
    const why =
      this.#failure ?? (last?.status === "failed" ? (last.error_description ?? "") : undefined);
    const amount = money(order.price.total, order.price.currency);
    const label = why === undefined ? `Pay ${amount}` : `Try again: pay ${amount}`;
    this.#payButton.textContent = this.#open ? "The payment window is open…" : label;
    if (this.#open) this.#payButton.setAttribute("aria-disabled", "true");
    else this.#payButton.removeAttribute("aria-disabled");
    const noWay = "It can't be paid just now. This page looks again by itself.";
    return element(
      "div",
      { class: "payment" },
      why !== undefined && failedNotice(why),
      this.#problem && problemNotice(this.#problem.data),
      order.razorpay ? this.#payButton : element("p", { class: "notice" }, noWay),
    );
  }

  /** Somebody who comes back may have the token in this browser already. */
  #tokenInUse({ token }) {
    if (!token || this.#access.plan !== "premium" || this.#access.state !== "valid") return null;
    return element(
      "p",
      { class: "notice in-use" },
      "This browser's chat uses a premium token already. ",
      element("a", { href: "/chat.html" }, "Open the chat"),
    );
  }

  #makeProof(order) {
    const proof = new EmailProof({
      purpose: "token",
      orderId: order.order_id,
      email: this.#actions.prefill().email ?? "",
      hint: "The one that this order was made with. A code is sent there.",
      inbox: this.#actions.inbox,
      onProved: ({ verification }) => give(verification),
    });
    const give = async (verification) => {
      proof.node.replaceChildren(element("p", { class: "hint" }, "Fetching it…"));
      try {
        this.#show(await api.tokenAgain(order.order_id, verification));
        this.#draw({ focus: true });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        const remedy =
          error.data.status === 401 || error.data.status === 403
            ? smallButton("Confirm the address again", () => proof.restart())
            : smallButton("Try again", () => give(verification));
        proof.node.replaceChildren(problemNotice(error.data, remedy));
        remedy.focus();
      }
    };
    return proof;
  }

  #planTitle({ plan, title }) {
    return title ?? this.#actions.plan(plan)?.title ?? plan;
  }

  #receipt(order) {
    const days = order.days ?? this.#actions.plan(order.plan)?.days;
    const rows = [
      ["Order", element("code", {}, order.order_id)],
      ["Made", dateAndTime(order.created_at)],
      ["Plan", this.#planTitle(order)],
      ["Good for", days ? duration(days) : ""],
    ];
    return receipt(rows, order.price);
  }

  #anew({ over }) {
    const look = over ? "button" : "button button-plain";
    const onclick = () => this.#actions.anew();
    return element(
      "p",
      { class: "anew" },
      element("button", { class: look, type: "button", onclick }, "Begin a new order"),
    );
  }
}

/** @param {string} address */
function wayBack(address) {
  const field = element("input", {
    class: "field",
    id: "way-back-link",
    type: "text",
    readonly: true,
    value: address,
  });
  field.addEventListener("focus", () => field.select());
  const copy = copyButton(() => address, { what: "link" });
  copy.className = "button button-quiet";
  return element(
    "section",
    { class: "way-back", "aria-labelledby": "way-back-title" },
    element("h3", { id: "way-back-title" }, "Your way back"),
    element(
      "p",
      { class: "hint" },
      "This link leads here from any browser. It shows how the order stands and lets it be paid; the token it shows to nobody. It is in the address bar, too.",
    ),
    element("label", { class: "visually-hidden", for: "way-back-link" }, "Link to this order"),
    element("div", { class: "way-back-row" }, field, copy),
  );
}

function failedNotice(why) {
  return element(
    "div",
    { class: "notice notice-danger problem", role: "alert" },
    element("strong", {}, "The last payment failed"),
    why ? element("p", {}, why) : null,
    element(
      "p",
      {},
      "If money has left your account all the same, don't pay again yet: it either arrives here or goes back by itself. Otherwise try again, with another card or account if you like.",
    ),
  );
}

/** @param {import("./api.js").Order} order */
function progressList(order) {
  const steps = progress(order);
  if (!steps.length) return null;
  return element(
    "ol",
    { class: "progress", role: "list", "aria-label": "Progress" },
    ...steps.map(({ name, state, said: words }) =>
      element(
        "li",
        { "data-state": state },
        element("span", { class: "progress-mark" }, state === "done" && icon("check")),
        element("span", { class: "progress-name" }, name),
        element("span", { class: "progress-said" }, words),
      ),
    ),
  );
}

/** @param {import("./api.js").Order} order @param {boolean} open */
function history({ history: events = [] }, open) {
  if (!events.length) return null;
  const lines = events.map(({ at, what }) =>
    element("li", {}, element("time", { datetime: at }, dateAndTime(at)), ` ${what}`),
  );
  return element(
    "details",
    { class: "disclosure history", open },
    element("summary", {}, "What has happened so far"),
    element("ol", { role: "list" }, ...lines),
  );
}
