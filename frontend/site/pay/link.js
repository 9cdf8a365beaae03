/**
 * The way back to an order: the page's address with the order's id and secret in the fragment,
 * which browsers send to nobody.
 */

/** @returns {import("./api.js").Key|null} the order that the address names */
export function orderOfAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const [id, secret] = [parts.get("order"), parts.get("secret")];
  return id && secret ? { id, secret } : null;
}

/** Whether the address was meant to name an order, even if a part of it is missing. */
export function namesOrder() {
  return /^#(.*&)?(order|secret)=/.test(location.hash);
}

/** @param {import("./api.js").Key} key @returns {string} */
export function linkOf({ id, secret }) {
  const address = new URL("/pay.html", location.href);
  address.hash = new URLSearchParams({ order: id, secret }).toString();
  return address.href;
}

/** Put the way back into the address bar. @param {import("./api.js").Key} key */
export function showInAddress(key) {
  history.replaceState(null, "", linkOf(key));
}

export function forgetAddress() {
  history.replaceState(null, "", "/pay.html");
}
