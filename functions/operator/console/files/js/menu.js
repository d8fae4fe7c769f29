// A button that opens a short list of further actions.

import { button, h } from "../web/dom.js";

export class Menu {
  #toggle;
  #list = h("ul", { class: "menu", hidden: true });

  constructor(label) {
    this.#toggle = button(label, {
      icon: "more",
      class: "bare",
      "aria-expanded": "false",
      onclick: () => this.#open(this.#list.hidden),
    });
    this.el = h("div", { class: "menu-frame" }, this.#toggle, this.#list);
    this.el.addEventListener("keydown", (e) => this.#key(e));
    this.el.addEventListener("focusout", (e) => {
      if (!this.el.contains(e.relatedTarget)) this.#open(false);
    });
  }

  /** `actions` is a list of words and functions; an empty one hides the menu. */
  offer(actions) {
    this.el.hidden = actions.length === 0;
    const held = this.#list.contains(document.activeElement);
    this.#list.replaceChildren(
      ...actions.map(([words, act]) => h("li", {}, button(words, { onclick: () => this.#choose(act) }))),
    );
    if (held) this.#toggle.focus();
  }

  #choose(act) {
    this.#open(false);
    this.#toggle.focus();
    act();
  }

  #open(open) {
    this.#list.hidden = !open;
    this.#toggle.setAttribute("aria-expanded", String(open));
    if (open) this.#list.querySelector("button").focus();
  }

  #key(e) {
    if (this.#list.hidden) return;
    const all = [...this.#list.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step) {
      e.preventDefault();
      all.at((all.indexOf(document.activeElement) + step + all.length) % all.length).focus();
    } else if (e.key === "Escape") {
      e.stopPropagation();
      this.#open(false);
      this.#toggle.focus();
    }
  }
}
