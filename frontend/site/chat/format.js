const NUMBER = new Intl.NumberFormat("en");

/** @param {number} seconds @returns {string} mm:ss */
export function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @param {number} bytes */
export function bytes(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${Math.round(bytes / 1e6)} MB`;
  return `${NUMBER.format(Math.round(bytes / 1e3))} kB`;
}

/** @param {number} ms */
export function seconds(ms) {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/** @param {number} value */
export function number(value) {
  return NUMBER.format(value);
}

/** @param {number} count @param {string} one @param {string} many */
export function counted(count, one, many) {
  return `${NUMBER.format(count)} ${count === 1 ? one : many}`;
}
