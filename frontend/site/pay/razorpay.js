import { element } from "/design/element.js";
import { Problem } from "/chat/problems.js";

/**
 * Razorpay's payment window. Its script comes from Razorpay, or from the stand-in on this site, and
 * from nowhere else, whatever the service says.
 */
const RAZORPAY = "https://checkout.razorpay.com/v1/checkout.js";
const SANDBOX = "/local/razorpay/checkout.js";

/** @type {Map<string, Promise<void>>} by address */
const loading = new Map();

/**
 * @param {string} address
 * @returns {string|null} the address to load; null for one that is not to be trusted
 */
export function trusted(address) {
  if (address === RAZORPAY) return RAZORPAY;
  const sandbox = new URL(SANDBOX, location.origin).href;
  const known = URL.canParse(address, location.origin);
  return known && new URL(address, location.origin).href === sandbox ? sandbox : null;
}

/**
 * Open the window and wait until the person has paid or closed it.
 *
 * @param {string} script its address
 * @param {Record<string, unknown>} options as Razorpay documents them
 * @returns {Promise<{paid?: object, failure?: string}>} `paid` is what proves a payment, `failure`
 *   why the last attempt failed
 * @throws {Problem} the window could not be opened
 */
export async function openCheckout(script, options) {
  const address = trusted(script);
  if (!address) throw new Problem({ code: "checkout_refused" });
  await load(address);
  return new Promise((resolve, reject) => {
    let failure;
    try {
      const checkout = new window.Razorpay({
        ...options,
        modal: { ondismiss: () => resolve({ failure }) },
        handler: (paid) => resolve({ paid, failure }),
      });
      // The window stays open and offers another attempt; what it said is told when it is closed.
      checkout.on("payment.failed", (answer) => {
        failure = String(answer?.error?.description ?? "");
      });
      checkout.open();
    } catch {
      reject(new Problem({ code: "checkout_blocked" }));
    }
  });
}

/** @param {string} address trusted */
function load(address) {
  if (!loading.has(address)) {
    const loaded = new Promise((resolve, reject) => {
      const script = element("script", { src: address, async: true });
      // Something that stops scripts may also send an empty one in its place.
      const settle = () => {
        if (typeof window.Razorpay === "function") {
          resolve();
          return;
        }
        script.remove();
        loading.delete(address); // another try may do
        reject(new Problem({ code: "checkout_blocked" }));
      };
      script.addEventListener("load", settle);
      script.addEventListener("error", settle);
      document.head.append(script);
    });
    loading.set(address, loaded);
  }
  return loading.get(address);
}
