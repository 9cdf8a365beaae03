/** Long answers are not read out whole: the person moves through them on the page. */
const READ_OUT_CHARACTERS = 1500;

const status = document.getElementById("announcements");

/** Tell screen readers, politely. The streamed text itself is in no live region. */
export function announce(text) {
  if (status) status.textContent = text;
}

/** @param {import("./conversation.js").Turn} turn */
export function announceAnswer(turn) {
  if (turn.state === "stopped") announce("Stopped.");
  else if (turn.answer.length > READ_OUT_CHARACTERS) announce("Answer finished.");
  else announce(`Answer finished. ${turn.answer}`);
}
