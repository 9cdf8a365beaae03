const NUMBER = new Intl.NumberFormat("en");

/** @param {number} seconds @returns {string} mm:ss */
export function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @param {number} seconds @returns {string} short, and as exact as a person needs it */
export function timeLeft(seconds) {
  if (seconds < 7200) return clock(seconds);
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} hours`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** @param {number} seconds @returns {string} in the largest unit that fits */
export function age(seconds) {
  if (seconds < 120) return counted(Math.floor(seconds), "second", "seconds");
  if (seconds < 7200) return counted(Math.floor(seconds / 60), "minute", "minutes");
  return counted(Math.floor(seconds / 3600), "hour", "hours");
}

/** @param {number} bytes */
export function bytes(bytes) {
  if (bytes >= 1e9) return `${NUMBER.format(Math.round(bytes / 1e8) / 10)} GB`;
  if (bytes >= 1e6) return `${Math.round(bytes / 1e6)} MB`;
  return `${NUMBER.format(Math.round(bytes / 1e3))} kB`;
}

/** @param {number} least @param {number|null} [most] bytes */
export function bytesRange(least, most) {
  if (!most || most === least) return bytes(least);
  const [from, to] = [bytes(least), bytes(most)];
  const unit = to.slice(to.indexOf(" "));
  return `${from.endsWith(unit) ? from.slice(0, -unit.length) : from} to ${to}`;
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
