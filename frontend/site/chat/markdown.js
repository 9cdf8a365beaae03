import MarkdownIt from "/packages/markdown-it.js";
import { copyButton } from "/design/clipboard.js";
import { element } from "/design/element.js";

/**
 * Markdown to DOM nodes, with the parser used for parsing only: every element below is made by
 * name and every text is a text node, so nothing in an answer can become markup, run, or load.
 */

const parser = new MarkdownIt({ html: false, linkify: true, breaks: true });
// "config.py" and "README.md" are file names here, not addresses.
parser.linkify.set({ fuzzyLink: false });

/** Elements that a token may open; any other token opens none and shows its text. */
const ELEMENTS = {
  paragraph_open: "p",
  bullet_list_open: "ul",
  ordered_list_open: "ol",
  list_item_open: "li",
  blockquote_open: "blockquote",
  table_open: "table",
  thead_open: "thead",
  tbody_open: "tbody",
  tr_open: "tr",
  th_open: "th",
  td_open: "td",
  em_open: "em",
  strong_open: "strong",
  s_open: "s",
};

/**
 * The page has h1 and each turn an h2, so an answer's own headings start at h3, and none is more
 * than one level below the heading before it, whatever the model leaves out.
 */
const DEEPER_BY = 2;

/** @typedef {{last: number}} Outline the level of the latest heading */

/** @returns {Outline} that of an answer's beginning */
export function newOutline() {
  return { last: DEEPER_BY };
}

/** @typedef {{line: number, tokens: any[]}} Block a top-level block and the line it starts at */

/**
 * @param {string} source
 * @param {object} env link definitions; the same object for all parts of one answer
 * @returns {Block[]}
 */
export function parseBlocks(source, env) {
  const blocks = [];
  for (const token of parser.parse(source, env)) {
    const starts = token.level === 0 && token.nesting >= 0;
    if (starts) blocks.push({ line: token.map?.[0] ?? 0, tokens: [] });
    blocks.at(-1)?.tokens.push(token);
  }
  return blocks;
}

/**
 * @param {Block} block
 * @param {Outline} outline taken forward by the block's headings
 * @returns {DocumentFragment} the block's nodes, usually one element
 */
export function renderBlock(block, outline) {
  const fragment = document.createDocumentFragment();
  build(block.tokens, fragment, outline);
  return fragment;
}

/** @param {Block} block @returns {{language: string, text: string}|null} */
export function codeOf(block) {
  const token = block.tokens[0];
  if (token.type !== "fence" && token.type !== "code_block") return null;
  const language = (token.info ?? "").trim().split(/\s+/)[0].slice(0, 30);
  return { language, text: token.content.replace(/\n$/, "") };
}

/** A code block with its language and a button to copy it. */
export function codeElement({ language, text }) {
  const code = element("code", {}, document.createTextNode(text));
  return element(
    "figure",
    { class: "code", "data-language": language },
    element(
      "div",
      { class: "code-head" },
      element("span", {}, language || "text"),
      copyButton(() => code.textContent ?? "", { what: "code" }),
    ),
    // focusable, so that a long line can be scrolled from the keyboard
    element("pre", { tabindex: "0", role: "region", "aria-label": "Code" }, code),
  );
}

/**
 * @param {any[]} tokens
 * @param {Node} root
 * @param {Outline} outline
 */
function build(tokens, root, outline) {
  const stack = [root];
  const here = () => stack[stack.length - 1];
  for (const token of tokens) {
    if (token.nesting === 1) stack.push(open(token, here(), outline));
    else if (token.nesting === -1) stack.length > 1 && stack.pop();
    else leaf(token, here(), outline);
  }
}

/** @returns {Node} where the token's content goes */
function open(token, parent, outline) {
  if (token.type === "link_open") return openLink(token, parent);
  const tag = token.type === "heading_open" ? heading(token, outline) : ELEMENTS[token.type];
  // In a tight list paragraphs are hidden: their text belongs to the item itself.
  if (!tag || token.hidden) return parent;
  const node = document.createElement(tag);
  if (tag === "ol") {
    const start = Number(token.attrGet("start") ?? 1);
    if (Number.isSafeInteger(start) && start !== 1) node.start = start;
  }
  if (tag === "th" || tag === "td") {
    const alignment = /^text-align:(center|right)$/.exec(token.attrGet("style") ?? "");
    if (alignment) node.className = `align-${alignment[1]}`;
  }
  const table = { class: "table", tabindex: "0", role: "region", "aria-label": "Table" };
  parent.appendChild(tag === "table" ? element("div", table, node) : node);
  return node;
}

function heading(token, outline) {
  const wanted = Number(token.tag.slice(1)) + DEEPER_BY;
  outline.last = Math.min(wanted, outline.last + 1, 6);
  return `h${outline.last}`;
}

function openLink(token, parent) {
  const href = safeAddress(token.attrGet("href"));
  return href ? parent.appendChild(link(href)) : parent;
}

function leaf(token, parent, outline) {
  switch (token.type) {
    case "inline":
      return build(token.children ?? [], parent, outline);
    case "softbreak":
    case "hardbreak":
      return parent.appendChild(document.createElement("br"));
    case "hr":
      return parent.appendChild(document.createElement("hr"));
    case "code_inline":
      return parent.appendChild(element("code", {}, token.content));
    case "fence":
    case "code_block":
      return parent.appendChild(codeElement(codeOf({ line: 0, tokens: [token] })));
    case "image":
      return image(token, parent);
    default:
      return parent.appendChild(document.createTextNode(token.content));
  }
}

/** An image is offered as a link: showing it would load something from elsewhere. */
function image(token, parent) {
  const href = safeAddress(token.attrGet("src"));
  const text = `Image: ${token.content || "no description"}`;
  const node = href ? link(href) : document.createElement("span");
  node.textContent = text;
  parent.appendChild(node);
}

function link(href) {
  return element("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" });
}

/**
 * Absolute web and mail addresses only: a relative one would point into this site, and every
 * other scheme may run something.
 *
 * @param {string|null} address
 */
function safeAddress(address) {
  const url = address && URL.canParse(address) ? new URL(address) : null;
  return url && ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
}
