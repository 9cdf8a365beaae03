import { copyButton } from "/design/clipboard.js";
import { element } from "/design/element.js";
import { Problem } from "/chat/problems.js";
import { busy } from "./fields.js";
import { dateAndTime } from "./money.js";
import { problemNotice } from "./problems.js";

/**
 * A premium token, shown once: to copy, or to take into the chat at once.
 *
 * @param {{token: string, expires_at?: string}} shown
 * @param {import("/chat/token.js").AccessToken} access this browser's token
 */
export function tokenBox({ token, expires_at }, access) {
  const problem = element("div", {});
  const copy = copyButton(() => token, { what: "token" });
  copy.className = "button button-quiet";
  const use = element("button", { class: "button", type: "button" }, "Use it in the chat now");
  use.addEventListener("click", () => {
    problem.replaceChildren();
    busy(use, "Taking it into the chat…", async () => {
      try {
        await access.adopt(token);
        location.assign("/chat.html");
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        problem.replaceChildren(problemNotice(error.data));
      }
    });
  });
  const until = expires_at && dateAndTime(expires_at);
  return element(
    "div",
    { class: "token-box" },
    element("p", { class: "eyebrow", id: "token-label" }, "Premium token"),
    element("output", { class: "token-text", "aria-labelledby": "token-label" }, token),
    element(
      "p",
      { class: "hint" },
      until ? `Good until ${until}. ` : null,
      "It is shown this once: copy it now, and keep it as you keep a password. If it is lost, this page gives it again by e-mail code.",
    ),
    problem,
    element("div", { class: "form-actions" }, use, copy),
  );
}
