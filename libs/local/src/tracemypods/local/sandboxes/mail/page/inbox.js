// The inbox: the list renews itself while it is looked at; the address names the open message.
import { element } from "/design/element.js";
import { bytes, moment } from "/local/inbox/format.js";
import { messageView } from "/local/inbox/message.js";

const MESSAGES = "/local/inbox/messages";
const PAUSE_MS = 2000;
const STEP = 50;
const MOST = 1000;

const main = document.querySelector("main");
const list = document.getElementById("list");
const state = document.getElementById("state");
const one = document.getElementById("one");
const to = document.getElementById("to");
const more = document.getElementById("more");
const remove = document.getElementById("delete");
const nothing = one.firstElementChild;

const entries = new Map(); // id → list item
let etag = null;
let limit = STEP;
let known = null; // ids of the last answer, for what is new
let turn = 0; // answers to older questions are dropped
let timer = 0;

async function fetchJson(url, options) {
  const answer = await fetch(url, options);
  if (answer.status === 304) return null;
  if (!answer.ok) throw new Error(`${answer.status}`);
  return { etag: answer.headers.get("ETag"), body: await answer.json() };
}

async function renew() {
  clearTimeout(timer);
  const mine = ++turn;
  const query = new URLSearchParams({ bodies: "false", limit: String(limit) });
  if (to.value.trim()) query.set("to", to.value.trim());
  try {
    const headers = etag ? { "If-None-Match": etag } : {};
    const found = await fetchJson(`${MESSAGES}?${query}`, { headers, cache: "no-store" });
    if (mine !== turn) return;
    if (found) {
      etag = found.etag;
      show(found.body);
    }
  } catch {
    if (mine !== turn) return;
    etag = null;
    say("The inbox does not answer. Trying again …");
  }
  if (!document.hidden) timer = setTimeout(renew, PAUSE_MS);
}

function renewAtOnce() {
  etag = null;
  renew();
}

function show({ items, cursor }) {
  const ids = items.map((item) => item.id);
  for (const [id, entry] of entries) {
    if (ids.includes(id)) continue;
    entry.remove();
    entries.delete(id);
  }
  items.forEach((item, index) => {
    if (!entries.has(item.id)) entries.set(item.id, listEntry(item));
    const entry = entries.get(item.id);
    // Only what is new moves, so that the focus stays where it is.
    if (list.children[index] !== entry) list.insertBefore(entry, list.children[index] ?? null);
  });
  more.hidden = !cursor || limit >= MOST;
  const fresh = known === null ? [] : items.filter((item) => !known.has(item.id));
  known = new Set(ids);
  say(summary(items.length, Boolean(cursor), fresh));
  mark();
}

function summary(count, hasMore, fresh) {
  const filtered = to.value.trim() ? " to this address" : "";
  const total = count === 1 ? "1 message" : `${count || "No"} messages`;
  const all = hasMore ? `The newest ${count} messages${filtered}.` : `${total}${filtered}.`;
  if (!fresh.length) return all;
  const news = fresh.length === 1 ? `New: ${fresh[0].subject || "no subject"}` : `${fresh.length} new`;
  return `${all} ${news}.`;
}

function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

function listEntry(item) {
  const facts = [`To ${item.to}`];
  const files = item.attachments.length;
  if (files) facts.push(files === 1 ? "1 attachment" : `${files} attachments`);
  return element(
    "li",
    {},
    element(
      "a",
      { class: "inbox-entry", href: `#${item.id}` },
      element("span", { class: "subject sent", dir: "auto" }, item.subject || "(no subject)"),
      moment(item.received_at, { short: true }),
      element("span", { class: "facts sent" }, facts.join(" · ")),
    ),
  );
}

const openId = () => location.hash.slice(1);

function mark() {
  for (const [id, entry] of entries) {
    const link = entry.firstElementChild;
    if (id === openId()) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

async function open({ focus }) {
  const id = openId();
  mark();
  main.toggleAttribute("data-reading", id.startsWith("mail_"));
  if (!id.startsWith("mail_")) {
    one.replaceChildren(nothing);
    return;
  }
  let shown;
  try {
    const { body } = await fetchJson(`${MESSAGES}/${encodeURIComponent(id)}`, { cache: "no-store" });
    shown = messageView(body, { bytes, moment });
  } catch (error) {
    const gone = error.message === "404" || error.message === "422";
    const text = gone ? "This message is not kept any more." : "The inbox does not answer.";
    shown = [element("p", { class: "inbox-nothing" }, text)];
  }
  if (id !== openId()) return;
  const back = element("a", { class: "button button-quiet inbox-back", href: "#" }, "All messages");
  one.replaceChildren(back, ...shown);
  if (focus) one.querySelector("h2")?.focus();
}

// Deleting takes two presses, the second within a moment.
let armed = 0;
function disarm() {
  clearTimeout(armed);
  armed = 0;
  remove.textContent = "Delete all";
}
remove.addEventListener("click", async () => {
  if (!armed) {
    remove.textContent = "Really delete all?";
    armed = setTimeout(disarm, 5000);
    return;
  }
  disarm();
  try {
    await fetch(MESSAGES, { method: "DELETE" });
  } finally {
    location.hash = "";
    renewAtOnce();
  }
});
remove.addEventListener("blur", disarm);

to.addEventListener("input", () => {
  known = null;
  renewAtOnce();
});
more.addEventListener("click", () => {
  limit = Math.min(limit + STEP, MOST);
  known = null;
  renewAtOnce();
});
window.addEventListener("hashchange", (event) => {
  const before = new URL(event.oldURL).hash.slice(1);
  const last = entries.get(before)?.firstElementChild;
  open({ focus: true });
  if (!openId()) last?.focus(); // back from a message to where it was opened
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) renew();
});

open({ focus: false });
renew();
