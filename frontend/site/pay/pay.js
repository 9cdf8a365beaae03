import { element } from "/design/element.js";
import { announce } from "/chat/announce.js";
import { Problem } from "/chat/problems.js";
import { AccessToken } from "/chat/token.js";
import { api } from "./api.js";
import { BuyerForm } from "./buyerform.js";
import { Draft } from "./draft.js";
import { forgetAddress, namesOrder, orderOfAddress, showInAddress } from "./link.js";
import { duration, money } from "./money.js";
import { OrderView } from "./orderview.js";
import { planList } from "./plans.js";
import { problemNotice, smallButton } from "./problems.js";
import { EmailProof } from "./proof.js";
import { Review } from "./review.js";
import { Steps } from "./steps.js";

/** @typedef {import("./api.js").Plan} Plan */

const plansNode = document.getElementById("plans");
const emailNode = document.getElementById("email");
const chosenNode = document.getElementById("chosen");
const draft = new Draft();
const access = new AccessToken();
const steps = new Steps((step) => go(step));
const buyerForm = new BuyerForm(
  async (buyer) => {
    draft.keep({ buyer });
    try {
      await review.quote(chosenPlan(), buyer);
    } catch (error) {
      // a plan that is gone can't be mended in this form
      if (!(error instanceof Problem) || !elsewhere(error)) throw error;
      return;
    }
    go("pay");
  },
  (buyer) => draft.keep({ buyer }),
);
const review = new Review({ pay: createOrder, refused: elsewhere });
/** @type {import("./api.js").PlanList|null} */
let list = null;
/** @type {OrderView|null} */
let orderView = null;

function chosenPlan() {
  return list?.items.find((plan) => plan.id === draft.data.plan && plan.available);
}

/** Where captured mails are, if the service says so and it is a page of this site. */
function inbox() {
  const address = list?.inbox;
  if (!address || !URL.canParse(address, location.origin)) return "";
  const url = new URL(address, location.origin);
  return url.origin === location.origin ? url.href : "";
}

/** @param {boolean|undefined} livemode */
function showMode(livemode) {
  const sandbox = list?.sandbox;
  document.getElementById("test-mode").hidden = livemode !== false && sandbox !== true;
  document.getElementById("test-mode-title").textContent = sandbox
    ? "Sandbox: no money moves."
    : "Test mode: no money moves.";
  const how = {
    true: "A stand-in for Razorpay takes the payments, and what is bought is for trying out.",
    false: "Razorpay's test keys are in use, and what is bought is for trying out.",
  };
  document.getElementById("test-mode-text").textContent =
    how[sandbox] ?? "Payments are for trying out, and so is what is bought.";
}

/** The furthest of the steps up to `step` that can be taken. @param {string} step */
function reachable(step) {
  const met = [
    ["plan", true],
    ["email", Boolean(chosenPlan())],
    ["buyer", draft.verified],
    ["pay", BuyerForm.complete(draft.data.buyer)],
  ];
  let found = "plan";
  for (const [name, allowed] of met) {
    if (!allowed) break;
    found = name;
    if (name === step) break;
  }
  return found;
}

/** @param {string} wanted @param {{focus?: boolean}} [options] */
function go(wanted, { focus = true } = {}) {
  const step = reachable(wanted);
  draft.keep({ step });
  showChosen(step);
  if (step === "plan") showPlans();
  if (step === "email") showEmail();
  if (step === "buyer") buyerForm.fill(draft.data.buyer);
  if (step === "pay") review.show(chosenPlan(), draft.data.email, draft.data.buyer);
  steps.show(step, { focus });
}

/** One line above the steps that says what has been chosen. */
function showChosen(step) {
  const plan = chosenPlan();
  chosenNode.hidden = !plan || !["email", "buyer"].includes(step);
  if (chosenNode.hidden) return;
  const parts = [plan.title, `${money(plan.price, plan.currency)} for ${duration(plan.days)}`];
  if (step === "buyer") parts.push(draft.data.email);
  chosenNode.replaceChildren(...parts.map((part) => element("span", {}, part)));
}

function showPlans(...notices) {
  plansNode.replaceChildren(...notices, planList(list.items, draft.data.plan, choose));
}

/** @param {Plan} plan */
function choose(plan) {
  draft.keep({ plan: plan.id });
  go(draft.verified ? "buyer" : "email");
}

/** @param {...Node} notices */
function showEmail(...notices) {
  if (draft.verified && !notices.length) {
    const on = smallButton("Go on", () => go("buyer"));
    const other = smallButton("Use another address", () => {
      draft.keep({ verification: null });
      showEmail();
      emailNode.querySelector("input").focus();
    });
    emailNode.replaceChildren(
      element("p", { class: "notice confirmed" }, element("strong", {}, draft.data.email), " is confirmed."),
      element("div", { class: "form-actions" }, on, other),
    );
    return;
  }
  const proof = new EmailProof({
    purpose: "buy",
    email: draft.data.email,
    challenge: draft.data.challenge,
    hint: "A code is sent there, to see that it is yours. It is for the invoice, and for having the token again if it is lost.",
    inbox,
    onChallenge: (challenge) =>
      draft.keep(challenge ? { challenge, email: challenge.email } : { challenge }),
    onProved: ({ verification, expires_in }, email) => {
      const until = Date.now() + expires_in * 1000;
      draft.keep({ email, verification: { value: verification, until } });
      announce(`${email} is confirmed.`);
      go("buyer");
    },
  });
  emailNode.replaceChildren(...notices, proof.node);
}

/**
 * Some refusals are mended on an earlier step.
 *
 * @param {Problem} error
 * @returns {boolean} whether it was such a one
 */
function elsewhere(error) {
  if (error.code === "verification_invalid") {
    draft.keep({ verification: null, challenge: null });
    go("email");
    showEmail(problemNotice(error.data));
    return true;
  }
  const noPlan = error.data.errors?.some(({ field }) => field === "plan" || field === "body.plan");
  if (error.code === "plan_unavailable" || noPlan) {
    const notice = problemNotice(noPlan ? { ...error.data, code: "plan_unavailable" } : error.data);
    draft.keep({ plan: undefined });
    loadPlans().then(() => {
      go("plan");
      if (list) showPlans(notice);
    });
    return true;
  }
  const fields = error.data.errors?.some(({ field }) => field?.includes("buyer."));
  if (fields && draft.data.step === "pay") {
    go("buyer");
    buyerForm.refuse(error);
    return true;
  }
  return false;
}

/** Make the order, and go on with paying it. Throws Problem. */
async function createOrder() {
  const { verification, plan, buyer } = draft.data;
  if (!draft.verified) throw new Problem({ code: "verification_invalid" });
  const body = { verification: verification.value, plan, buyer };
  const key = draft.idempotencyKey(JSON.stringify([verification.value, plan, buyer]));
  const made = await api.createOrder(body, key);
  const order = { id: made.order_id, secret: made.order_secret };
  showInAddress(order);
  draft.keep({ step: "order" });
  await openOrder(order, { focus: true });
  await orderView.pay();
}

/**
 * @param {import("./api.js").Key} key
 * @param {{focus?: boolean}} [options]
 */
async function openOrder(key, { focus = false } = {}) {
  orderView?.stop();
  chosenNode.hidden = true;
  orderView = new OrderView(key, access, {
    step: (step, { focus }) => steps.show(step, { panel: "order", focus, back: false }),
    read: ({ livemode, steps }) => {
      showMode(livemode);
      // Whoever pays has no use any more for what the order was made with.
      if (steps?.paid) draft.clear();
    },
    anew: () => {
      orderView.stop();
      forgetAddress();
      // The same key would lead to the same order again.
      draft.keep({ step: "plan", idempotency: undefined });
      location.reload();
    },
    plan: (id) => list?.items.find((plan) => plan.id === id),
    inbox,
    prefill: () => {
      const { email, buyer } = draft.data;
      return { ...(email && { email }), ...(buyer?.name && { name: buyer.name }) };
    },
  });
  steps.show("pay", { panel: "order", focus, back: false });
  await orderView.start();
}

/** Read the plans; what went wrong is shown in their place. */
async function loadPlans() {
  list = null;
  try {
    const answer = await api.plans();
    if (!Array.isArray(answer.items)) throw new Problem({ code: "unexpected_answer" });
    list = answer;
    showMode(answer.livemode);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const again = smallButton("Try again", () => start());
    plansNode.replaceChildren(problemNotice(error.data, again));
  }
}

async function start() {
  const key = orderOfAddress();
  if (namesOrder()) {
    // The plans only add to what the order itself says.
    const plans = loadPlans();
    if (key) await Promise.all([plans, openOrder(key)]);
    else showBrokenLink();
    return;
  }
  await loadPlans();
  if (list) go(draft.data.step ?? "plan", { focus: false });
  else steps.show("plan");
}

function showBrokenLink() {
  const anew = smallButton("Begin a new order", () => {
    forgetAddress();
    location.reload();
  });
  document.getElementById("order").replaceChildren(problemNotice({ code: "link" }, anew));
  steps.show("pay", { panel: "order", back: false });
}

// A link to another order, pasted into this tab's address bar.
window.addEventListener("hashchange", () => {
  if (namesOrder()) location.reload();
});

await start();
