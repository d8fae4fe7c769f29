// Rows in a box that scrolls: it stays at the end while the reader does, and
// does not move under a reader who has scrolled up.

import { h, icon } from "./dom.js";
import { words } from "./words.js";

/** How near the end, in pixels, still counts as being there. */
const NEAR = 60;

export class Scroll {
  #rowView;
  #views = new Map(); // by key
  #list = h("div", { class: "rows" });
  #pill;
  #box;
  #atEnd = true;
  #top = 0;

  /**
   * `rowView(row)` makes the view of a row, with `el` and `update(row)`. `label`
   * names the box; `above` and `below` are elements that stay there.
   */
  constructor({ label, rowView, above = [], below = [] }) {
    this.#rowView = rowView;
    this.#box = h(
      "div",
      { class: "scroll", role: "log", "aria-live": "off", "aria-label": label, tabindex: "0" },
      h("div", { class: "column" }, above, this.#list, below),
    );
    this.#pill = h(
      "button",
      { type: "button", class: "pill", hidden: true, onclick: () => this.toEnd() },
      icon("down"),
      words.newMessages,
    );
    this.el = h("div", { class: "transcript" }, this.#box, this.#pill);
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#follow()).observe(this.#box.firstChild);
    new ResizeObserver(() => this.#follow()).observe(this.#box);
  }

  /** Shows rows, each with a `key` that stays; `busy` tells that more are being loaded. */
  update(rows, busy) {
    this.#box.setAttribute("aria-busy", String(busy));
    const grew = this.#draw(rows);
    if (grew && !this.#atEnd) this.#pill.hidden = false;
    this.#follow();
  }

  /** Goes to the newest row and stays there. */
  toEnd() {
    this.#atEnd = true;
    this.#pill.hidden = true;
    this.#follow();
  }

  /** Whether the newest row is in sight. */
  get atEnd() {
    return this.#atEnd;
  }

  /** Forgets its rows. */
  clear() {
    this.#views.clear();
    this.#list.replaceChildren();
    this.toEnd();
  }

  /** The plain words of a message that is shown. */
  wordsOf(key) {
    const shown = this.#views.get(key)?.el.querySelector(".text").cloneNode(true);
    shown?.querySelectorAll("button").forEach((b) => b.remove());
    return shown?.textContent.trim() ?? "";
  }

  /** Lets `change` put something above, and keeps what is read in its place. */
  async keepPlace(change) {
    const fromEnd = this.#box.scrollHeight - this.#box.scrollTop;
    await change();
    this.#box.scrollTop = this.#box.scrollHeight - fromEnd;
  }

  // Returns whether something was added at the end.
  #draw(rows) {
    const last = this.#list.lastChild;
    const keep = new Set();
    let at = this.#list.firstChild;
    for (const row of rows) {
      keep.add(row.key);
      let view = this.#views.get(row.key);
      if (!view) this.#views.set(row.key, (view = this.#rowView(row)));
      const drawn = JSON.stringify(row); // what stays the same keeps its focus
      if (view.drawn !== drawn || row.until) view.update(row);
      view.drawn = drawn;
      if (view.el === at) at = at.nextSibling;
      else this.#list.insertBefore(view.el, at);
    }
    for (const [key, view] of this.#views) {
      if (keep.has(key)) continue;
      view.el.remove();
      this.#views.delete(key);
    }
    return this.#list.lastChild !== last;
  }

  #scrolled() {
    const box = this.#box;
    if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR) this.#atEnd = true;
    else if (box.scrollTop < this.#top) this.#atEnd = false; // only a reader goes up
    this.#top = box.scrollTop;
    if (this.#atEnd) this.#pill.hidden = true;
  }

  #follow() {
    if (this.#atEnd) this.#box.scrollTop = this.#box.scrollHeight;
  }
}
