import { element } from "/design/element.js";
import { Problem } from "/chat/problems.js";
import { api } from "./api.js";
import { placeOf } from "./buyerform.js";
import { busy } from "./fields.js";
import { duration, money } from "./money.js";
import { problemNotice, smallButton } from "./problems.js";
import { receipt } from "./receipt.js";

/**
 * The last look before paying: what, for whom, and what it costs with which taxes.
 *
 * @typedef {object} ReviewActions
 * @property {(price: import("./api.js").Price) => Promise<void>} pay may throw Problem
 * @property {(problem: Problem) => boolean} refused whether it was dealt with elsewhere
 */
export class Review {
  #node = document.getElementById("review");
  #actions;
  /** The price that was worked out last, and what for. */
  #quoted = { for: "", price: null };

  /** @param {ReviewActions} actions */
  constructor(actions) {
    this.#actions = actions;
  }

  /**
   * What it would cost. Throws Problem.
   *
   * @param {import("./api.js").Plan} plan
   * @param {import("./api.js").Buyer} buyer
   */
  async quote(plan, buyer) {
    const { country, state, gstin } = buyer;
    const wanted = JSON.stringify([plan.id, country, state, gstin]);
    if (this.#quoted.for !== wanted) {
      const { price } = await api.quote(plan.id, buyer);
      this.#quoted = { for: wanted, price };
    }
    return this.#quoted.price;
  }

  /**
   * @param {import("./api.js").Plan} plan
   * @param {string} email
   * @param {import("./api.js").Buyer} buyer
   */
  async show(plan, email, buyer) {
    let price;
    this.#node.replaceChildren(element("p", { class: "hint" }, "Working out the price…"));
    try {
      price = await this.quote(plan, buyer);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (this.#actions.refused(error)) return;
      const again = smallButton("Try again", () => this.show(plan, email, buyer));
      this.#node.replaceChildren(problemNotice(error.data, again));
      return;
    }
    const problem = element("div", {});
    const button = element(
      "button",
      { class: "button", type: "button" },
      `Pay ${money(price.total, price.currency)}`,
    );
    button.addEventListener("click", () => {
      problem.replaceChildren();
      busy(button, "Opening the payment window…", async () => {
        try {
          await this.#actions.pay(price);
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          if (!this.#actions.refused(error)) problem.replaceChildren(problemNotice(error.data));
        }
      });
    });
    const rows = [
      ["Plan", plan.title],
      ["Good for", duration(plan.days)],
      ["E-mail", email],
      ["Name", buyer.name],
      ["Place", placeOf(buyer)],
      ["GSTIN", buyer.gstin],
    ];
    this.#node.replaceChildren(receipt(rows, price), terms(), problem, button);
  }
}

function terms() {
  return element(
    "p",
    { class: "hint" },
    "It is one payment; nothing renews by itself. Paying, you agree to the ",
    element("a", { href: "/terms.html", target: "_blank" }, "terms"),
    " and the rules for ",
    element("a", { href: "/refunds.html", target: "_blank" }, "refunds"),
    ".",
  );
}
