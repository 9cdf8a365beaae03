const SVG = "http://www.w3.org/2000/svg";

/** Line drawings on a 24-unit grid, in the stroke of `.icon`. */
const PATHS = {
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  again: "M19 12a7 7 0 1 1-2-4.9M19 4v4h-4",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  down: "M12 5v14M6 13l6 6 6-6",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
};

/**
 * @param {keyof typeof PATHS} name
 * @returns {SVGSVGElement} hidden from assistive technology; its button carries the name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
