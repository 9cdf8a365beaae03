import { codeOf, newOutline, parseBlocks, renderBlock } from "./markdown.js";

/** Rendering may take at most this share of the time, so that a hard answer leaves room to type. */
const BUSY_SHARE = 1 / 4;

/**
 * An answer that grows. Blocks that are complete are rendered once and never touched again;
 * only the last block is parsed and rendered anew, at most once a frame. So the cost of a piece
 * of text depends on its own block, not on how long the answer has become.
 */
export class GrowingAnswer {
  #container;
  #env = {};
  /** As the finished blocks have left it. */
  #outline = newOutline();
  /** Source from the start of the block that is still open. */
  #tail = "";
  /** @type {Node[]} what shows the open block */
  #open = [];
  #frame = 0;
  #restUntil = 0;
  #onRender;

  /**
   * @param {HTMLElement} container
   * @param {() => void} [onRender] called after the page has changed
   */
  constructor(container, onRender = () => {}) {
    this.#container = container;
    this.#onRender = onRender;
  }

  /** @param {string} text */
  append(text) {
    this.#tail += text;
    this.#frame ||= requestAnimationFrame(this.#tick);
  }

  /** No more will come: show everything now, since a hidden tab gets no frames. */
  finish() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#render();
  }

  #tick = () => {
    this.#frame = 0;
    const started = performance.now();
    if (started < this.#restUntil) {
      this.#frame = requestAnimationFrame(this.#tick);
      return;
    }
    this.#render();
    const ended = performance.now();
    this.#restUntil = ended + (ended - started) * (1 / BUSY_SHARE - 1);
  };

  #render() {
    this.#tail = this.#tail.replaceAll("\r", "");
    const blocks = parseBlocks(this.#tail, this.#env);
    if (!blocks.length) return;
    // A line that may still grow can turn out to belong to the block before it, so a block is
    // complete only once the next one has a whole line.
    const wholeLines = this.#tail.split("\n").length - 1;
    let openIndex = blocks.length - 1;
    while (openIndex > 0 && blocks[openIndex].line >= wholeLines) openIndex -= 1;
    this.#show(blocks, openIndex);
    this.#tail = fromLine(this.#tail, blocks[openIndex].line);
    this.#onRender();
  }

  #show(blocks, openIndex) {
    const outline = { ...this.#outline };
    const grown = this.#growCode(blocks[0]);
    for (const node of this.#open.slice(grown ? 1 : 0)) node.remove();
    this.#open.length = grown ? 1 : 0;
    blocks.forEach((block, index) => {
      if (index === openIndex) this.#outline = { ...outline };
      if (index > 0 && index <= openIndex) this.#open = [];
      if (index > 0 || !grown) this.#open.push(...this.#add(block, outline));
    });
  }

  #add(block, outline) {
    const fragment = renderBlock(block, outline);
    const nodes = [...fragment.childNodes];
    this.#container.append(fragment);
    return nodes;
  }

  /** Code only ever gets longer: adding to its text keeps its button and any selection. */
  #growCode(block) {
    const shown = this.#open[0];
    const code = codeOf(block);
    if (!code || !(shown instanceof HTMLElement) || !shown.matches("figure.code")) return false;
    const text = shown.querySelector("code")?.firstChild;
    if (!(text instanceof Text) || shown.dataset.language !== code.language) return false;
    if (!code.text.startsWith(text.data)) return false;
    text.appendData(code.text.slice(text.length));
    return true;
  }
}

/** @param {string} source @param {number} line */
function fromLine(source, line) {
  let at = 0;
  for (let count = 0; count < line; count += 1) at = source.indexOf("\n", at) + 1;
  return source.slice(at);
}

/** A whole answer at once. @param {HTMLElement} container @param {string} text */
export function showAnswer(container, text) {
  const outline = newOutline();
  for (const block of parseBlocks(text.replaceAll("\r", ""), {})) {
    container.append(renderBlock(block, outline));
  }
}
