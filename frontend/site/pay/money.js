/**
 * @param {number} paise the hundredth part of the currency's unit
 * @param {string} [currency] ISO 4217
 * @returns {string} such as ₹1,00,000.00
 */
export function money(paise, currency = "INR") {
  const amount = Number(paise) / 100;
  try {
    return new Intl.NumberFormat("en-IN", { style: "currency", currency }).format(amount);
  } catch {
    return `${amount.toFixed(2)} ${currency}`; // not a currency's code
  }
}

/** @param {number} days */
export function duration(days) {
  return days === 1 ? "1 day" : `${new Intl.NumberFormat("en").format(days)} days`;
}

/** @param {string} moment RFC 3339 @returns {string} in the person's own time zone */
export function dateAndTime(moment) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return "";
  return new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }).format(date);
}
