import { element } from "/design/element.js";
import { bytesRange, number } from "./format.js";

/** @typedef {import("./models.js").Model} Model */

/** The rows about a model. @param {Model} model @returns {HTMLElement[]} */
export function facts(model) {
  const { licence, limits } = model;
  const rows = [
    ["Name", element("code", {}, model.name)],
    model.tier && ["For", model.tier === "premium" ? "premium tokens" : "every token"],
    model.kind === "base" && ["Kind", "base model"],
    model.size_bytes && ["On disk", bytesRange(model.size_bytes, model.size_most_bytes)],
    model.memory_bytes && ["In memory", bytesRange(model.memory_bytes, model.memory_most_bytes)],
    model.gpu && ["GPU", model.gpu],
    model.context_tokens && ["Context", `${number(model.context_tokens)} tokens`],
    limits?.max_answer_tokens && ["Longest answer", `${number(limits.max_answer_tokens)} tokens`],
    licence?.name && ["Licence", reference(licence.url, licence.name)],
    licence?.use_policy && ["Use policy", reference(licence.use_policy, licence.use_policy)],
    model.source && ["Source", reference(model.source, model.source)],
  ].filter(Boolean);
  return rows.map(([term, value]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, value)),
  );
}

/** What somebody who uses a model must know. @param {Model} model @returns {HTMLElement[]} */
export function termsOf({ label, licence }) {
  const policy = licence.use_policy && reference(licence.use_policy, "its use policy");
  return [
    element("strong", {}, `${label} has terms of its own`),
    element(
      "p",
      {},
      "Whoever asks it is bound by the ",
      reference(licence.url, licence.name),
      policy && " and ",
      policy,
      ".",
    ),
    licence.notice && element("p", {}, licence.notice),
  ].filter(Boolean);
}

/** The catalogue is an operator's file, but an address in it is still only text until checked. */
function reference(address, text) {
  const url = URL.canParse(address ?? "") ? new URL(address) : null;
  if (!url || !["https:", "http:"].includes(url.protocol)) return text;
  const shown = text === address ? url.host + url.pathname.replace(/\/$/, "") : text;
  return element(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" },
    shown,
  );
}
