// Where an operator writes: a reply to the visitor, or a note for the team.

import { button, h, say } from "../web/dom.js";
import { Tray } from "../web/tray.js";
import { Typing } from "../web/typing.js";
import { words } from "../web/words.js";
import { text } from "./text.js";

const encoder = new TextEncoder();

export class Composer {
  #maxBytes;
  #store;
  #actions;
  #session = null;
  #draft = {}; // {reply, note, mode}
  #human = false; // whether a person has the session
  #input;
  #send;
  #modes;
  #takeOver;
  #takes;
  #tray;
  #attach;
  #hint = h("p", { class: "hint", role: "alert", hidden: true });
  #closed = h("p", { class: "quiet no-reply", hidden: true });
  #frame;
  #typing;

  /** `actions`: `write(kind, {content, files, takeOver})`, `typing(typing)`, `announce(words)`; `limits` as the API tells them. */
  constructor({ api, limits, store, actions }) {
    this.#maxBytes = limits.messageBytes;
    this.#store = store;
    this.#actions = actions;
    this.#typing = new Typing(actions.typing);
    this.#input = h("textarea", { rows: "2", enterkeyhint: "send", dir: "auto" });
    this.#send = button(text.sendReply, { icon: "send", class: "round primary", onclick: () => this.#submit() });
    this.#modes = ["reply", "note"].map((mode) =>
      h("input", { type: "radio", name: "mode", value: mode, onchange: () => this.#switch(mode) }),
    );
    this.#takeOver = h("input", { type: "checkbox", checked: true });
    this.#takes = h("label", { class: "takes" }, this.#takeOver, text.takesOver);
    const modes = h(
      "fieldset",
      { class: "modes" },
      h("legend", { class: "hidden" }, text.composerMode),
      this.#modes.map((input) => h("label", {}, input, h("span", {}, text[input.value]))),
    );
    this.#tray = new Tray(
      api,
      { enabled: true, maxBytes: limits.uploadBytes, count: limits.attachments },
      {
        changed: () => this.#changed(),
        say: (problem) => say(this.#hint, problem),
        announce: (says) => actions.announce(says),
        focus: () => this.focus(),
      },
    );
    this.#tray.takePastes(this.#input);
    this.#attach = button(words.attach, { icon: "attach", class: "round", onclick: () => this.#tray.choose() });
    this.#frame = h("div", { class: "frame" }, this.#attach, this.#input, this.#send);
    this.el = h(
      "div",
      { class: "composer", hidden: true },
      this.#closed,
      h("div", { class: "choices" }, modes, this.#takes),
      this.#hint,
      this.#tray.el,
      this.#frame,
      this.#tray.picker,
    );
    this.#input.addEventListener("input", () => {
      this.#changed();
      this.#typing.wrote(this.#draft.mode === "reply" ? this.#input.value : "");
    });
    this.#input.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      this.#submit();
    });
  }

  focus() {
    this.#input.focus();
  }

  /** Shows the composer of a session; `may` is whether the key allows to write. */
  update(session, may) {
    this.el.hidden = session === null;
    if (session === null) return;
    if (session.id !== this.#session) this.#begin(session.id);
    this.#human = session.holder === "human";
    const refusal = !may ? text.readOnly : session.state === "spam" ? text.spamHint : "";
    say(this.#closed, refusal);
    this.el.classList.toggle("refused", refusal !== "");
    this.#drawMode();
  }

  #begin(session) {
    this.#typing.sent(); // what was typed elsewhere ends by itself
    this.#session = session;
    this.#draft = { mode: "reply", ...this.#store.draft(session) };
    this.#takeOver.checked = true;
    this.#tray.clear();
    say(this.#hint, "");
    this.#drawMode();
    this.#fill();
  }

  #switch(mode) {
    this.#draft.mode = mode;
    this.#typing.stop();
    this.#drawMode();
    this.#fill();
  }

  #drawMode() {
    const { mode } = this.#draft;
    for (const input of this.#modes) input.checked = input.value === mode;
    const note = mode === "note";
    this.el.dataset.mode = mode;
    this.#input.setAttribute("aria-label", note ? text.noteLabel : text.replyLabel);
    this.#input.placeholder = note ? text.notePlaceholder : text.replyPlaceholder;
    const send = note ? text.sendNote : text.sendReply;
    this.#send.setAttribute("aria-label", send);
    this.#send.title = send;
    this.#takes.hidden = note || this.#human;
    this.#attach.hidden = note; // a note carries no files
    this.#tray.el.classList.toggle("unused", note);
  }

  #fill() {
    this.#input.value = this.#draft[this.#draft.mode] ?? "";
    this.#changed();
  }

  #submit() {
    const { mode } = this.#draft;
    if (mode === "reply" && this.#tray.busy) return say(this.#hint, words.uploadsBusy);
    if (this.#send.disabled) return;
    const files = mode === "reply" ? this.#tray.files : [];
    const takeOver = this.#human || this.#takeOver.checked;
    this.#typing.sent();
    this.#actions.write(mode, { content: this.#input.value.trim(), files, takeOver });
    this.#input.value = "";
    if (mode === "reply") this.#tray.clear();
    this.#changed();
  }

  #changed() {
    const { value } = this.#input;
    this.#draft[this.#draft.mode] = value;
    this.#store.setDraft(this.#session, this.#draft);
    const over = encoder.encode(value.trim()).length - this.#maxBytes;
    say(this.#hint, over > 0 ? text.tooLong(over) : "");
    const some = value.trim() !== "" || (this.#draft.mode === "reply" && this.#tray.files.length > 0);
    this.#send.disabled = !some || over > 0;
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
