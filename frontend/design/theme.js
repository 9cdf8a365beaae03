// The theme, set before the first paint: pages load this in <head> as a plain, blocking script.
// A person's choice is kept in localStorage; without one the system's preference holds.
"use strict";

(() => {
  const KEY = "tracemypods.theme";
  const ORDER = ["system", "light", "dark"];

  function saved() {
    try {
      const value = localStorage.getItem(KEY);
      return ORDER.includes(value) ? value : "system";
    } catch {
      return "system"; // storage can be switched off altogether
    }
  }

  function apply(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }

  function label(button, theme) {
    const next = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    button.setAttribute("aria-label", `Theme: ${theme}. Switch to ${next}`);
    button.title = `Theme: ${theme}`;
    button.dataset.themeNow = theme;
  }

  let theme = saved();
  apply(theme);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-switch]");
    if (!button) return;
    label(button, theme);
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // the choice then lasts until the page is left
      }
      apply(theme);
      label(button, theme);
    });
  });

  window.addEventListener("storage", (event) => {
    if (event.key === KEY) apply((theme = saved()));
  });
})();
