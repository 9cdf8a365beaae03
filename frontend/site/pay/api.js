import { fetchOrProblem, problemOf, Problem } from "/chat/problems.js";

/**
 * @typedef {object} Plan price in paise, tax included
 * @property {string} id
 * @property {string} title
 * @property {string} [notes]
 * @property {number} price
 * @property {string} currency
 * @property {number} days
 * @property {Record<string, string>} limits
 * @property {boolean} available
 * @property {string} [reason] why it is not sold
 *
 * @typedef {object} PlanList
 * @property {Plan[]} items
 * @property {boolean} [livemode]
 * @property {boolean} [sandbox]
 * @property {string|null} [inbox] where captured mails are, in local mode
 *
 * @typedef {object} Price all in paise
 * @property {number} total
 * @property {number} taxable
 * @property {{name: string, rate_percent: number, amount: number}[]} taxes
 * @property {string} currency
 *
 * @typedef {object} Buyer
 * @property {string} name
 * @property {string} country
 * @property {string} [state]
 * @property {string} [gstin]
 *
 * @typedef {object} Key an order's id and secret
 * @property {string} id
 * @property {string} secret
 *
 * @typedef {object} Order
 * @property {string} order_id
 * @property {string} status
 * @property {string} plan
 * @property {string} [title]
 * @property {number} [days]
 * @property {Price} price
 * @property {string} created_at
 * @property {boolean} [livemode]
 * @property {{paid: boolean, token_issued: boolean, token_shown: boolean, invoice?: "pending"|"sent"|"delayed"|null, invoice_number?: string|null}} steps
 * @property {{status: string, error_description?: string}[]} attempts
 * @property {{order_id: string, key_id: string, checkout_url: string}} [razorpay]
 * @property {{at: string, what: string}[]} [history]
 */

/** All throw Problem. */
export const api = {
  /** @returns {Promise<PlanList>} */
  plans: () => call("/order/plans"),

  /** @returns {Promise<{challenge_id: string, expires_in: number, resend_after: number}>} */
  sendCode: (wish) => call("/send-otp", { body: wish }),

  /** @returns {Promise<{verification: string, expires_in: number}>} */
  verifyCode: (challenge_id, code) => call("/verify-otp", { body: { challenge_id, code } }),

  /** @returns {Promise<{price: Price}>} */
  quote: (plan, { country, state, gstin }) =>
    call("/order/quote", { body: { plan, buyer: { country, state, gstin } } }),

  createOrder: (order, key) =>
    call("/create-order", { body: order, headers: { "Idempotency-Key": key } }),

  /** @param {Key} key @returns {Promise<{status: string, token?: string, expires_at?: string}>} */
  verifyPayment: ({ id, secret }, paid) =>
    call("/verify-payment", {
      body: {
        order_id: id,
        order_secret: secret,
        razorpay_order_id: paid.razorpay_order_id,
        razorpay_payment_id: paid.razorpay_payment_id,
        razorpay_signature: paid.razorpay_signature,
      },
    }),

  /** @param {Key} key @returns {Promise<Order>} */
  order: ({ id, secret }) =>
    call(`/order/${encodeURIComponent(id)}`, { headers: { Authorization: `Bearer ${secret}` } }),

  /** @returns {Promise<{token: string, expires_at: string}>} */
  tokenAgain: (id, verification) =>
    call(`/order/${encodeURIComponent(id)}/token`, { body: { verification } }),
};

async function call(path, { body, headers = {} } = {}) {
  const options = { headers: { Accept: "application/json", ...headers } };
  if (body) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetchOrProblem(path, options);
  if (!response.ok) throw await problemOf(response);
  try {
    const answer = await response.json();
    if (answer && typeof answer === "object") return answer;
  } catch {
    // not JSON: something in between has answered
  }
  throw new Problem({ code: "unexpected_answer", status: response.status });
}
