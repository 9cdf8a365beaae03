import { announce, announceAnswer } from "./announce.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { sayWrong } from "./feedback.js";
import { Following } from "./follow.js";
import { ModelPicker } from "./models.js";
import { Problem } from "./problems.js";
import { Settings } from "./settings.js";
import { Stopped, ask } from "./stream.js";
import { AccessToken } from "./token.js";
import { TokenView, takeTokenButton } from "./tokenview.js";
import { TurnView } from "./turnview.js";

/** @typedef {import("./conversation.js").Turn} Turn */

/** Where the landing page leaves a question for this page to ask. */
const HANDED_OVER = "tracemypods.question";
const CATALOGUE_WAIT_MS = 1500;
const GO_ON = "Continue where you stopped.";

/** What a token that is not valid would be answered, so that it need not be sent. */
const REFUSALS = { none: "token_missing", expired: "token_expired", refused: "token_revoked" };
const TOKEN_CODES = new Set(["token_missing", "token_malformed", "token_expired", "token_revoked"]);
const MODEL_CODES = new Set([
  "model_unavailable",
  "model_not_installed",
  "model_unknown",
  "model_locked",
]);

const thread = document.getElementById("thread");
const welcome = document.getElementById("welcome");
const conversation = new Conversation();
const token = new AccessToken();
const models = new ModelPicker();
const settings = new Settings();
const following = new Following(document.getElementById("to-end"));
const composer = new Composer({ onSend: send, onStop: stop });
const tokenView = new TokenView(
  token,
  () => !lastFailedForToken(),
  () => composer.focus(),
);

/** @type {Map<Turn, TurnView>} */
const views = new Map();
/** @type {AbortController|null} the answer that is being written */
let running = null;

function lastFailedForToken() {
  return TOKEN_CODES.has(conversation.last?.problem?.code ?? "");
}

/** @param {Turn} turn */
function show(turn) {
  const view = new TurnView(turn, {
    again: answer,
    goOn: () => send(GO_ON),
    edit: takeBack,
    chooseModel: () => settings.reveal(() => models.focus()),
    takeToken: (label, onTaken) => takeTokenButton(token, label, onTaken),
    labelOf: (name) => models.labelOf(name),
    sayWrong: (turn) => sayWrong(token.value, turn.cache.entry),
    grown: () => following.grown(),
  });
  views.set(turn, view);
  thread.append(view.node);
  welcome.hidden = true;
  return view;
}

/** @param {string} question */
function send(question) {
  if (running) return;
  const turn = conversation.add(question);
  show(turn);
  following.start();
  answer(turn);
}

function stop() {
  if (!running) return;
  running.abort();
  composer.focus(); // the stop button is about to go
}

/**
 * Have a turn's question answered, for the first time or again.
 *
 * @param {Turn} turn
 */
async function answer(turn) {
  if (running) return;
  const view = views.get(turn);
  const { question } = turn;
  const fresh = turn.state === "done"; // the person has seen that answer and wants another
  for (const key of Object.keys(turn)) delete turn[key];
  Object.assign(turn, { question, answer: "", state: "waiting", model: models.chosen });
  const stopping = (running = new AbortController());
  composer.setBusy(true);
  composer.focus();
  view.begin();
  tokenView.show();
  announce("Generating…");
  conversation.save();
  const started = performance.now();
  const used = token.value;
  try {
    if (token.state !== "valid") throw new Problem({ code: REFUSALS[token.state] });
    const messages = conversation.messagesFor(turn);
    const { model } = turn;
    const events = ask({ token: used, messages, model, fresh, signal: stopping.signal });
    for await (const { event, data } of events) take(event, data, turn, view, started);
    turn.state = "done";
  } catch (error) {
    failed(error, turn, used);
  }
  turn.total_ms = performance.now() - started;
  running = null;
  composer.setBusy(false);
  view.settle();
  if (!conversation.turns.includes(turn)) return; // a new conversation was started meanwhile
  tokenView.show();
  conversation.save();
  if (!turn.problem) announceAnswer(turn);
}

/** One event of the stream. */
function take(event, data, turn, view, started) {
  if (data?.dropped_messages) {
    turn.dropped_messages = data.dropped_messages;
    view.showDropped();
  }
  if (event === "status") view.showStatus(data ?? {});
  else if (event === "delta" && data.text) {
    view.append(data.text);
    turn.first_ms ??= performance.now() - started;
    turn.answer += data.text;
    turn.state = "streaming";
  } else if (event === "done") {
    const { model, finish_reason, usage, cache, request_id } = data;
    Object.assign(turn, { model: model ?? turn.model, finish_reason, usage, cache, request_id });
  }
}

/** @param {unknown} error @param {Turn} turn @param {string} used the token that was sent */
function failed(error, turn, used) {
  if (error instanceof Stopped) {
    turn.state = "stopped";
    return;
  }
  if (!(error instanceof Problem)) throw error;
  turn.state = "failed";
  turn.problem = error.data;
  announce("");
  if (used && TOKEN_CODES.has(error.code) && token.state === "valid") token.refuse(used);
  if (MODEL_CODES.has(error.code)) loadModels();
}

/** A question that was not accepted goes back to where it can be changed. */
function takeBack(turn) {
  views.get(turn)?.node.remove();
  views.delete(turn);
  conversation.remove(turn);
  welcome.hidden = conversation.turns.length > 0;
  composer.write(turn.question);
}

function startAnew() {
  stop();
  conversation.clear();
  views.clear();
  thread.replaceChildren();
  welcome.hidden = false;
  settings.close();
  tokenView.show();
  window.scrollTo({ top: 0, behavior: "instant" });
  composer.focus();
  announce("New conversation.");
}

function loadModels() {
  return models.load(token.state === "valid" ? token.value : "");
}

function handedOver() {
  try {
    const question = sessionStorage.getItem(HANDED_OVER);
    sessionStorage.removeItem(HANDED_OVER);
    return question?.trim() ?? "";
  } catch {
    return "";
  }
}

for (const button of document.querySelectorAll("[data-new-conversation]")) {
  button.addEventListener("click", startAnew);
}
for (const button of document.querySelectorAll("[data-suggestion]")) {
  button.addEventListener("click", () => send(button.textContent.trim()));
}
document.getElementById("model-again").addEventListener("click", loadModels);
document.getElementById("model-have-token").addEventListener("click", () => {
  if (tokenView.enter()) settings.close(); // the sheet of a phone would cover the panel
});
window.addEventListener("pagehide", () => conversation.save());
token.addEventListener("change", loadModels);

// A slow catalogue must not hold the page up; what it says is shown when it comes.
await Promise.race([
  loadModels(),
  new Promise((resolve) => setTimeout(resolve, CATALOGUE_WAIT_MS)),
]);
for (const turn of conversation.turns) show(turn);
tokenView.show();
if (conversation.turns.length) following.start();
const question = handedOver();
if (question) send(question);
