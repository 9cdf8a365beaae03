// How sizes and times are written.
import { element } from "/design/element.js";

/** A number of bytes, short. */
export function bytes(count) {
  if (count < 1024) return `${count} bytes`;
  const units = ["KiB", "MiB"];
  let value = count / 1024;
  while (value >= 1024 && units.length > 1) {
    value /= 1024;
    units.shift();
  }
  return `${value.toLocaleString(undefined, { maximumFractionDigits: 1 })} ${units[0]}`;
}

/** When a message came, as a <time>; `short` leaves the date out where it is today's. */
export function moment(iso, { short = false } = {}) {
  const when = new Date(iso);
  const today = when.toDateString() === new Date().toDateString();
  const text =
    short && today
      ? when.toLocaleTimeString(undefined, { timeStyle: "medium" })
      : when.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return element("time", { datetime: iso }, text);
}
