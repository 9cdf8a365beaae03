/**
 * Build an element without a parser: text always arrives as text nodes, which is what keeps
 * a person's and a model's words from ever becoming markup.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] `class`, `on<event>` listeners, and attributes
 *   (`true` writes an empty one, `false`, null and undefined none)
 * @param {...(Node|string|null|false)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== false));
  return node;
}
