/* Stands in for Razorpay's checkout.js, with the same interface:

     const checkout = new Razorpay({ key, order_id, handler, … });
     checkout.on("payment.failed", ({ error }) => …);
     checkout.open();

   It shows a dialog with a page of the sandbox in a frame, and hands over what that page says.
   Nothing here is inline, so that a strict Content-Security-Policy holds: `script-src` and
   `frame-src` need the sandbox's origin. */

(() => {
  "use strict";

  const origin = new URL(document.currentScript.src).origin;
  const address = (name) => `${origin}/local/razorpay/${name}`;

  const BANNER_TEXT = "Sandbox: no money moves. Payments on this page go to a stand-in for Razorpay.";

  const BANNER_STYLE = `
    aside {
      margin: 0;
      padding: 0.5rem 1rem;
      background: #5c2d00;
      color: #fff4e0;
      font: 600 0.875rem / 1.4 system-ui, sans-serif;
      text-align: center;
    }
  `;

  const DIALOG_STYLE = `
    dialog {
      box-sizing: border-box;
      width: min(26rem, 100vw);
      height: min(38rem, 100dvh);
      max-width: none;
      max-height: none;
      margin: auto;
      padding: 0;
      border: 0;
      border-radius: 0.75rem;
      background: transparent;
      overflow: hidden;
    }
    dialog::backdrop { background: rgb(8 14 11 / 65%); }
    iframe { display: block; width: 100%; height: 100%; border: 0; }
    @media (max-width: 30rem) {
      dialog { width: 100vw; height: 100dvh; border-radius: 0; }
    }
  `;

  /* An element whose content neither gets styles from the page nor gives it any. */
  function host(style) {
    const element = document.createElement("div");
    const root = element.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [sheet];
    return { element, root };
  }

  function showBanner() {
    const { element, root } = host(BANNER_STYLE);
    const banner = document.createElement("aside");
    banner.setAttribute("aria-label", "Sandbox");
    banner.textContent = BANNER_TEXT;
    root.append(banner);
    document.body.prepend(element);
  }

  if (document.body) showBanner();
  else document.addEventListener("DOMContentLoaded", showBanner);

  /* What the frame is told: texts and numbers of the options, and nothing else. */
  function described(options) {
    const { key, order_id, name, description, prefill = {}, notes = {}, theme = {} } = options;
    const text = (value) => (value === undefined || value === null ? null : String(value));
    return {
      key: text(key),
      order_id: text(order_id),
      name: text(name),
      description: text(description),
      email: text(prefill.email),
      contact: text(prefill.contact),
      notes: Object.fromEntries(Object.entries(notes).map(([at, value]) => [at, String(value)])),
      color: text(theme.color),
      escape: options.modal?.escape !== false,
    };
  }

  /* Posts to the seller's page as Razorpay's does with `callback_url`. */
  function post(url, fields) {
    const form = document.createElement("form");
    form.method = "post";
    form.action = url;
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      input.value = value;
      form.append(input);
    }
    document.body.append(form);
    form.submit();
  }

  class Razorpay {
    #options;
    #listeners = new Map();
    #shown = null;

    constructor(options) {
      if (!options || !options.key) throw new Error("No key passed");
      this.#options = options;
    }

    on(event, listener) {
      this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
      return this;
    }

    open() {
      if (this.#shown) return;
      const { element, root } = host(DIALOG_STYLE);
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-label", "Razorpay sandbox checkout");
      const frame = document.createElement("iframe");
      frame.title = "Razorpay sandbox checkout";
      frame.addEventListener("load", () => this.#connect(frame));
      frame.src = address("checkout");
      dialog.append(frame);
      dialog.addEventListener("cancel", (event) => {
        event.preventDefault();
        if (this.#options.modal?.escape !== false) this.#dismiss();
      });
      root.append(dialog);
      document.body.append(element);
      const seconds = Number(this.#options.timeout);
      const timer = seconds > 0 ? setTimeout(() => this.#dismiss(), seconds * 1000) : null;
      this.#shown = { element, dialog, timer, port: null, focused: document.activeElement };
      dialog.showModal();
    }

    close() {
      if (!this.#shown) return;
      const { element, dialog, timer, port, focused } = this.#shown;
      this.#shown = null;
      clearTimeout(timer);
      port?.close();
      dialog.close();
      element.remove();
      focused?.focus?.();
    }

    /* The frame answers through the port, which nobody else has. */
    #connect(frame) {
      if (!this.#shown) return;
      const { port1, port2 } = new MessageChannel();
      this.#shown.port = port1;
      port1.addEventListener("message", ({ data }) => this.#hear(data));
      port1.start();
      frame.contentWindow.postMessage(described(this.#options), origin, [port2]);
      frame.focus();
    }

    #hear({ kind, payload }) {
      if (kind === "dismissed") this.#dismiss();
      else if (kind === "success") this.#succeed(payload);
      else if (kind === "failure") this.#fail(payload);
      else if (kind === "closed-tab") this.#leave();
    }

    #dismiss() {
      if (!this.#shown) return;
      this.close();
      this.#options.modal?.ondismiss?.();
    }

    #succeed(payload) {
      this.close();
      const { handler, callback_url: url } = this.#options;
      if (url && (this.#options.redirect || !handler)) post(url, payload);
      else handler?.(payload);
    }

    #fail(payload) {
      const { callback_url: url, redirect, retry } = this.#options;
      if (url && redirect) {
        this.close();
        const { metadata, ...fields } = payload.error;
        const named = Object.entries(fields).map(([at, value]) => [`error[${at}]`, value ?? ""]);
        post(url, {
          ...Object.fromEntries(named),
          "error[metadata]": JSON.stringify(metadata),
        });
        return;
      }
      if (retry?.enabled === false) this.close();
      for (const listener of this.#listeners.get("payment.failed") ?? []) listener(payload);
    }

    /* A script may close only what a script has opened; elsewhere the page is left instead. */
    #leave() {
      window.close();
      if (!window.closed) window.location.replace(address("closed"));
    }
  }

  window.Razorpay = Razorpay;
})();
