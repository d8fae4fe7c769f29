// The files that a message is going to carry: chosen, uploaded and shown, each
// with its progress, a way to try again and a way to leave it out.

import { button, fileIcon, h, icon } from "./dom.js";
import { formatBytes } from "./format.js";
import { Upload } from "./upload.js";
import { words } from "./words.js";

export class Tray {
  el = h("ul", { class: "chips", hidden: true });
  /** The browser's dialog, an element that has to be in the page. */
  picker;
  #api;
  #limits;
  #actions;
  #uploads = []; // {upload, chip}

  /**
   * `limits` are those of an Upload, and `count` for one message. `actions`:
   * `changed()`, `say(words)` for what cannot be done, `announce(words)`, and
   * `focus()` to go back to where one writes.
   */
  constructor(api, limits, actions) {
    this.#api = api;
    this.#limits = limits;
    this.#actions = actions;
    this.picker = h("input", { type: "file", multiple: true, hidden: true, accept: limits.types?.join() });
    this.picker.addEventListener("change", () => {
      this.attach(this.picker.files);
      this.picker.value = "";
      actions.focus();
    });
  }

  /** Lets the user choose files. */
  choose() {
    this.picker.click();
  }

  /** Adds files that were chosen, dropped or pasted. */
  attach(files) {
    const { enabled, count } = this.#limits;
    const room = count - this.#uploads.length;
    if (!enabled) return this.#actions.say(words.uploadsOff);
    this.#actions.say(files.length > room ? words.tooManyFiles(count) : "");
    for (const file of [...files].slice(0, room)) this.#add(file);
  }

  /** Makes an element take files that are pasted into it. */
  takePastes(input) {
    input.addEventListener("paste", (e) => {
      if (e.clipboardData.files.length === 0) return;
      e.preventDefault();
      this.attach(e.clipboardData.files);
    });
  }

  /** Whether an upload is under way. */
  get busy() {
    return this.#uploads.some(({ upload }) => ["waiting", "sending", "checking"].includes(upload.state));
  }

  /** What a message can carry: completed uploads. */
  get files() {
    return this.#uploads.map(({ upload }) => upload.result).filter(Boolean);
  }

  /** Forgets all files. */
  clear() {
    for (const entry of [...this.#uploads]) this.#remove(entry);
  }

  #add(file) {
    const entry = { chip: h("li", { class: "upload" }) };
    entry.upload = new Upload(this.#api, file, this.#limits, () => this.#draw(entry));
    this.#uploads.push(entry);
    this.el.append(entry.chip);
    this.#draw(entry);
    this.#run(entry);
  }

  async #run(entry) {
    await entry.upload.run();
    const { state, file, problem } = entry.upload;
    if (state === "done") this.#actions.announce(words.uploaded(file.name));
    if (state === "failed") this.#actions.announce(`${file.name}: ${problem}`);
    this.#actions.say("");
    this.#actions.changed();
  }

  #remove(entry) {
    entry.upload.cancel();
    entry.chip.remove();
    this.#uploads = this.#uploads.filter((e) => e !== entry);
    this.el.hidden = this.#uploads.length === 0;
    this.#actions.changed();
  }

  #draw(entry) {
    const { chip, upload } = entry;
    this.el.hidden = false;
    const bar = chip.querySelector("progress");
    if (chip.dataset.state === "sending" && upload.state === "sending" && bar) return drawProgress(bar, upload);
    const held = chip.contains(document.activeElement);
    chip.dataset.state = upload.state;
    const over = upload.state === "done" || upload.state === "failed";
    const { name } = upload.file;
    const remove = button(over ? words.removeUpload(name) : words.cancelUpload(name), {
      icon: "close",
      class: "bare",
      onclick: () => {
        this.#remove(entry);
        this.#actions.focus();
      },
    });
    const retry =
      upload.state === "failed" &&
      !upload.refused &&
      button(words.retryUpload(name), { icon: "retry", class: "bare", onclick: () => this.#run(entry) });
    chip.replaceChildren(
      upload.preview ? h("img", { src: upload.preview, alt: "" }) : fileIcon(upload.type),
      h("div", { class: "about" }, h("span", { class: "file-name" }, name), statusOf(upload)),
      ...[retry, remove].filter(Boolean),
    );
    if (held) remove.focus();
  }
}

function drawProgress(bar, upload) {
  bar.value = upload.progress;
  bar.setAttribute("aria-label", words.uploading(upload.file.name, Math.round(upload.progress * 100)));
}

function statusOf(upload) {
  switch (upload.state) {
    case "sending": {
      const bar = h("progress", { max: "1" });
      drawProgress(bar, upload);
      return bar;
    }
    case "waiting":
      return h("span", { class: "size" }, words.queued);
    case "checking":
      return h("span", { class: "size" }, words.checking);
    case "done":
      return h("span", { class: "size" }, icon("check"), formatBytes(upload.file.size));
    case "failed":
      return h("span", { class: "bad" }, upload.problem);
  }
}
