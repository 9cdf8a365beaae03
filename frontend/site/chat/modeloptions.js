import { element } from "/design/element.js";
import { icon } from "/design/icons.js";

/** @typedef {import("./models.js").Model} Model */

/** What stands in the way of using a model; empty when nothing does. @param {Model} model */
export function obstacles(model) {
  return [
    model.allowed === false && "needs a premium token",
    model.status === "not_installed" && "not installed",
    model.status === "down" && "not answering",
  ].filter(Boolean);
}

const GROUPS = /** @type {[string, (model: Model) => boolean][]} */ ([
  ["Ready", (model) => !obstacles(model).length],
  ["Needs a premium token", (model) => model.allowed === false],
  ["Not answering", (model) => model.status === "down"],
  ["Not installed", () => true],
]);

/**
 * The models by what can be done with them, each in the first group that fits; empty groups are
 * left out.
 *
 * @param {Model[]} models
 * @returns {{title: string, models: Model[]}[]}
 */
export function grouped(models) {
  const groups = GROUPS.map(([title]) => ({ title, models: [] }));
  for (const model of models) {
    groups[GROUPS.findIndex(([, fits]) => fits(model))].models.push(model);
  }
  return groups.filter((group) => group.models.length);
}

/**
 * A row of the picker. Browsers that style lists show the drawn padlock and a line of notes; the
 * others show an option's text only, so that has a padlock and brackets of its own.
 *
 * @param {Model} model
 */
export function option(model) {
  const reasons = obstacles(model);
  const locked = model.allowed === false;
  const notes = [model.kind === "base" && "base model", ...reasons].filter(Boolean);
  return element(
    "option",
    { value: model.name, disabled: reasons.length > 0 },
    locked && icon("lock"),
    locked && plain("🔒 "),
    element("span", { class: "option-label" }, model.label),
    notes.length > 0 &&
      element("span", { class: "option-note" }, plain(" ("), notes.join(", "), plain(")")),
  );
}

/** Text for lists that can't be styled. @param {string} text */
function plain(text) {
  return element("span", { class: "option-plain" }, text);
}
