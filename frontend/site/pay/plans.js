import { element } from "/design/element.js";
import { duration, money } from "./money.js";

/** @typedef {import("./api.js").Plan} Plan */

/**
 * The plans side by side.
 *
 * @param {Plan[]} plans
 * @param {string|undefined} chosen
 * @param {(plan: Plan) => void} onChoose
 * @returns {HTMLElement}
 */
export function planList(plans, chosen, onChoose) {
  if (!plans.length) return element("p", { class: "notice" }, "Nothing is sold here at the moment.");
  const cards = plans.map((plan, at) => card(plan, at, plan.id === chosen, onChoose));
  return element("ul", { class: "plans", role: "list" }, ...cards);
}

/** @param {Plan} plan */
function card(plan, at, isChosen, onChoose) {
  const id = `plan-${at}`;
  const limits = Object.entries(plan.limits ?? {}).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, String(value))),
  );
  return element(
    "li",
    { class: "plan", "data-available": String(plan.available), "data-chosen": String(isChosen) },
    element("h3", { class: "plan-title", id }, plan.title),
    element(
      "p",
      { class: "plan-price" },
      element("span", { class: "plan-amount" }, money(plan.price, plan.currency)),
      element("span", { class: "plan-days" }, ` for ${duration(plan.days)}, tax included`),
    ),
    limits.length > 0 && element("dl", { class: "plan-limits" }, ...limits),
    plan.notes ? element("p", { class: "plan-notes" }, plan.notes) : null,
    plan.available ? chooseButton(plan, id, isChosen, onChoose) : notSold(plan),
  );
}

function chooseButton(plan, id, isChosen, onChoose) {
  return element(
    "button",
    {
      class: "button",
      type: "button",
      id: `${id}-choose`,
      "aria-labelledby": `${id}-choose ${id}`,
      onclick: () => onChoose(plan),
    },
    isChosen ? "Go on with this plan" : "Choose this plan",
  );
}

/** @param {Plan} plan */
function notSold(plan) {
  return element(
    "p",
    { class: "notice plan-reason" },
    element("strong", {}, "Not sold at the moment"),
    plan.reason ? element("span", {}, plan.reason) : null,
  );
}
