// Where the visitor writes: text, files, send and stop.

import { button, h, say } from "../web/dom.js";
import { Tray } from "../web/tray.js";
import { Typing } from "../web/typing.js";
import { words } from "../web/words.js";
import { text } from "./text.js";

const encoder = new TextEncoder();

export class Composer {
  #config;
  #store;
  #actions;
  #input;
  #send;
  #stop;
  #hint = h("p", { class: "hint", role: "alert", hidden: true });
  #tray;
  #frame;
  #typing;

  /** `actions`: `send(text, files)`, `stop()`, `typing(typing)`, `announce(words)`. */
  constructor({ api, config, store, actions }) {
    this.#config = config;
    this.#store = store;
    this.#actions = actions;
    this.#typing = new Typing(actions.typing);
    this.#input = h("textarea", {
      rows: "1",
      "aria-label": text.composer,
      placeholder: text.placeholder,
      enterkeyhint: "send",
    });
    this.#input.value = store.draft;
    this.#send = button(text.send, { icon: "send", class: "round primary", onclick: () => this.submit() });
    this.#stop = button(text.stop, {
      icon: "stop",
      class: "round stop",
      hidden: true,
      onclick: () => this.#actions.stop(),
    });
    this.#tray = new Tray(api, { ...config.uploads, count: config.limits.attachments }, {
      changed: () => this.#changed(),
      say: (says) => say(this.#hint, says),
      announce: (says) => this.#actions.announce(says),
      focus: () => this.focus(),
    });
    const attach =
      config.uploads.enabled &&
      button(words.attach, { icon: "attach", class: "round", onclick: () => this.#tray.choose() });
    this.#frame = h("div", { class: "frame" }, attach, this.#input, this.#stop, this.#send);
    this.el = h("div", { class: "composer" }, this.#hint, this.#tray.el, this.#frame, this.#tray.picker);
    this.#listen();
    this.#changed();
  }

  focus() {
    this.#input.focus();
  }

  /** Shows whether an answer can be stopped. */
  update({ writing }) {
    const lost = this.#stop === document.activeElement && !writing;
    this.#stop.hidden = !writing;
    if (lost) this.focus();
  }

  /** Attaches what was dropped on the chat. */
  attach(files) {
    this.#tray.attach(files);
  }

  /** Sends what is written, unless there is nothing, too much, or an upload under way. */
  submit() {
    if (this.#tray.busy) return say(this.#hint, words.uploadsBusy);
    if (this.#send.disabled) return;
    this.#actions.send(this.#input.value.trim(), this.#tray.files);
    this.#typing.sent();
    this.#input.value = "";
    this.#tray.clear();
    say(this.#hint, "");
    this.#changed();
  }

  #listen() {
    this.#input.addEventListener("input", () => {
      this.#changed();
      this.#typing.wrote(this.#input.value);
    });
    this.#input.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      this.submit();
    });
    this.#tray.takePastes(this.#input);
  }

  #changed() {
    const value = this.#input.value;
    this.#store.draft = value;
    const over = encoder.encode(value.trim()).length - this.#config.limits.messageBytes;
    if (over > 0) say(this.#hint, text.tooLong(over));
    else if (this.#hint.dataset.over) say(this.#hint, "");
    this.#hint.dataset.over = over > 0 ? "yes" : "";
    const some = value.trim() !== "" || this.#tray.files.length > 0;
    this.#send.disabled = !some || over > 0;
    this.#grow();
  }

  // As high as its lines, up to what the style sheet allows.
  #grow() {
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
