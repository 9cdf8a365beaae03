import { element } from "/design/element.js";
import { money } from "./money.js";

/**
 * What is bought, by whom, and what it costs, as a till would print it.
 *
 * @param {[string, string|HTMLElement|null|undefined|false][]} rows
 * @param {import("./api.js").Price} price
 * @returns {HTMLElement}
 */
export function receipt(rows, price) {
  const facts = rows
    .filter(([, value]) => value)
    .map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return element(
    "div",
    { class: "receipt" },
    element("dl", { class: "receipt-facts" }, ...facts),
    element(
      "table",
      { class: "receipt-price" },
      element("caption", { class: "visually-hidden" }, "Price"),
      element("tbody", {}, ...priceRows(price)),
      element("tfoot", {}, row("Total", price.total, price.currency)),
    ),
  );
}

/** @param {import("./api.js").Price} price */
function priceRows({ taxable, taxes, currency }) {
  if (!taxes?.length) return [];
  const rates = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
  return [
    row("Price without tax", taxable, currency),
    ...taxes.map((tax) => {
      return row(`${tax.name} ${rates.format(tax.rate_percent)} %`, tax.amount, currency);
    }),
  ];
}

function row(name, paise, currency) {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, name),
    element("td", {}, money(paise, currency)),
  );
}
