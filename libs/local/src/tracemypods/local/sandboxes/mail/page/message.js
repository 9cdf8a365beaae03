// One message: its facts, its attachments, and its text or HTML.
import { element } from "/design/element.js";

const MESSAGES = "/local/inbox/messages";
const SHOWN_CHARACTERS = 200_000;
const LINK = /https?:\/\/[^\s<>"'`]+/g;
const AFTER_LINK = /[.,;:!?)\]}]+$/;

/** The nodes that show a message. */
export function messageView(message, { bytes, moment }) {
  const sent = (text) => element("span", { class: "sent", dir: "auto" }, text);
  const facts = element(
    "dl",
    { class: "inbox-facts" },
    ...[
      ["From", sent(message.from || "(nobody)")],
      ["To", sent(message.to)],
      ["Captured", moment(message.received_at)],
      ["Size", bytes(message.bytes)],
    ].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
  const title = message.subject || "(no subject)";
  return [
    element("h2", { class: "sent", dir: "auto", tabindex: "-1" }, title),
    facts,
    message.attachments.length ? attachments(message, bytes) : null,
    ...body(message),
  ].filter(Boolean);
}

function attachments(message, bytes) {
  return element(
    "ul",
    { class: "inbox-files", role: "list", "aria-label": "Attachments" },
    ...message.attachments.map(({ n, name, bytes: size }) =>
      element(
        "li",
        {},
        element(
          "a",
          {
            class: "button button-quiet button-small",
            href: `${MESSAGES}/${message.id}/attachments/${n}`,
            download: true,
          },
          element("span", { class: "sent", dir: "auto" }, name),
          ` (${bytes(size)})`,
        ),
      ),
    ),
  );
}

/** Buttons for the views that there are, and the view that is chosen. */
function body(message) {
  const views = [];
  if (message.has_html) views.push(["HTML", () => html(message)]);
  if (message.has_text) views.push(["Text", () => text(message.text)]);
  const place = element("div", {});
  const buttons = views.map(([name, make]) =>
    element("button", { class: "button button-quiet button-small", type: "button", onclick: choose(make) }, name),
  );
  function choose(make) {
    return (event) => {
      for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
      place.replaceChildren(make());
    };
  }
  if (views.length) {
    buttons[0].setAttribute("aria-pressed", "true");
    buttons[1]?.setAttribute("aria-pressed", "false");
    place.append(views[0][1]());
  } else {
    place.append(element("p", { class: "inbox-nothing" }, "This message has no text."));
  }
  const source = element("a", { href: `${MESSAGES}/${message.id}/source`, target: "_blank", rel: "noopener" }, "Source");
  return [
    element("div", { class: "inbox-views", role: "group", "aria-label": "How to show it" }, ...buttons, source),
    place,
  ];
}

/** The HTML in a frame that runs nothing and loads nothing. */
function html(message) {
  return element("iframe", {
    class: "inbox-html",
    title: "The message's HTML",
    sandbox: "",
    referrerpolicy: "no-referrer",
    src: `${MESSAGES}/${message.id}/html`,
  });
}

/** The text, in which addresses are links. */
function text(whole) {
  const shown = whole.slice(0, SHOWN_CHARACTERS);
  const pre = element("pre", { class: "inbox-text sent", dir: "auto", tabindex: "0", "aria-label": "The message's text" });
  let done = 0;
  for (const match of shown.matchAll(LINK)) {
    const address = match[0].replace(AFTER_LINK, "");
    if (!URL.canParse(address)) continue;
    pre.append(shown.slice(done, match.index));
    pre.append(element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, address));
    done = match.index + address.length;
  }
  pre.append(shown.slice(done));
  if (shown.length < whole.length) pre.append("\n\n… The rest is in the source.");
  return pre;
}
