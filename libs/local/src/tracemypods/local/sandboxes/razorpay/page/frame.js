/* The checkout's page. The page that shows it sends its options with a port, and is told through
   that port how it ended. Who may show this page is said by its Content-Security-Policy. */

const element = (id) => document.getElementById(id);
const [pay, fail, closeTab] = ["pay", "fail", "close-tab"].map(element);
const CHOICES = [pay, fail, closeTab];

let port = null;
let options = {};
let nonce = null;

function tell(kind, payload = null) {
  port?.postMessage({ kind, payload });
}

async function call(path, body) {
  const response = await fetch(`/local/razorpay/checkout/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

function show(id, text) {
  element(id).textContent = text ?? "";
}

/* aria-disabled rather than disabled while it works, so that the focus stays where it is. */
function setBusy(busy) {
  for (const choice of CHOICES) choice.setAttribute("aria-disabled", String(busy));
}

function setUsable(usable) {
  for (const choice of CHOICES) choice.disabled = !usable;
}

function money(paise, currency) {
  const amount = new Intl.NumberFormat("en-IN", { style: "currency", currency });
  return amount.format(paise / 100);
}

async function begin() {
  show("name", options.name ?? "Checkout");
  show("description", options.description);
  show("order", options.order_id);
  const payer = [options.email, options.contact].filter(Boolean).join(", ");
  show("payer", payer);
  element("payer-row").hidden = !payer;
  if (/^#[0-9a-f]{3,8}$/i.test(options.color ?? "")) {
    document.documentElement.style.setProperty("--stripe", options.color);
  }
  try {
    const opened = await call("open", { key: options.key, order_id: options.order_id });
    nonce = opened.nonce;
    const amount = money(opened.amount, opened.currency);
    show("amount", amount);
    pay.textContent = `Pay ${amount}`;
    setUsable(true);
    pay.focus();
  } catch (error) {
    show("problem", `The checkout can't be opened: ${error.message}`);
    element("dismiss").focus();
  }
}

async function attempt(outcome, leaves) {
  if (pay.getAttribute("aria-disabled") === "true") return;
  setBusy(true);
  show("problem", "");
  show("progress", "The payment is on its way.");
  try {
    const { payload, nonce: another } = await call("pay", {
      nonce,
      outcome,
      close_tab: leaves,
      description: options.description,
      email: options.email,
      contact: options.contact,
      notes: options.notes,
    });
    nonce = another;
    show("progress", "");
    if (leaves) tell("closed-tab");
    else if (payload.error) {
      show("problem", `${payload.error.description}. Try again, or close this.`);
      tell("failure", payload);
      setBusy(false);
    } else tell("success", payload);
  } catch (error) {
    show("progress", "");
    show("problem", error.message);
    setUsable(false);
    element("dismiss").focus();
  }
}

pay.addEventListener("click", () => attempt("success", false));
fail.addEventListener("click", () => attempt("failure", false));
closeTab.addEventListener("click", () => attempt("success", true));
element("dismiss").addEventListener("click", () => tell("dismissed"));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && options.escape) tell("dismissed");
  if (event.key !== "Tab") return;
  const stops = [...document.querySelectorAll("button:not(:disabled)")];
  const at = stops.indexOf(document.activeElement);
  const next = event.shiftKey ? at - 1 : at + 1;
  event.preventDefault();
  stops.at(next % stops.length)?.focus();
});

window.addEventListener("message", (event) => {
  if (event.source !== window.parent || window.parent === window || port) return;
  [port] = event.ports;
  options = event.data;
  begin();
});
