import { copyButton } from "/design/clipboard.js";

// The chat asks what is written here as soon as it opens. It travels in sessionStorage: a
// question in an address would end up in histories and logs.
document.getElementById("ask").addEventListener("submit", () => {
  const question = document.getElementById("first-question").value.trim();
  try {
    if (question) sessionStorage.setItem("tracemypods.question", question);
  } catch {
    // without storage the chat opens empty
  }
});

for (const node of document.querySelectorAll("[data-origin]")) node.textContent = location.origin;

const example = document.getElementById("example");
document
  .querySelector("[data-copy-code]")
  .append(copyButton(() => example.textContent, { what: "example" }));
