// The messages of a conversation, and what stands there before the first.

import { button, h } from "../web/dom.js";
import { avatar } from "../web/parts.js";
import { Scroll } from "../web/scroll.js";
import { rowView } from "./message.js";
import { text } from "./text.js";

export class Transcript {
  #context;
  /** The box of its rows. */
  scroll;
  #start = h("div", { class: "start" });
  #status = h("p", { class: "status" });
  #reload;
  #earlier;

  /**
   * `context` as in rowView, with `greeting`, `ask(question)`, `loadOlder()` and
   * `reload()`. `tail` are elements that stay below the messages.
   */
  constructor(context, tail) {
    this.#context = context;
    this.#earlier = button(text.earlier, {
      class: "small earlier",
      onclick: () => this.scroll.keepPlace(() => context.loadOlder()),
    });
    this.#reload = button(text.retry, { class: "small", onclick: context.reload });
    this.scroll = new Scroll({
      label: text.transcript,
      rowView: (row) => rowView(row, context),
      above: [this.#start, this.#earlier, this.#status, this.#reload],
      below: tail,
    });
    this.el = this.scroll.el;
    this.#drawStart();
  }

  /** Shows rows; `state` is `{phase, blank, older}`. */
  update(rows, { phase, blank, older }) {
    this.#start.hidden = !blank;
    this.#earlier.hidden = !older;
    this.#status.hidden = phase === "ready";
    this.#status.textContent = phase === "loading" ? text.loading : text.loadFailed;
    this.#reload.hidden = phase !== "failed";
    this.scroll.update(rows, phase === "loading");
  }

  #drawStart() {
    const { agent, greeting, ask } = this.#context;
    const suggestions = text.suggestions.map((q) =>
      h("li", {}, button(q, { class: "suggestion", onclick: () => ask(q) })),
    );
    this.#start.append(
      h(
        "div",
        { class: "message ai" },
        avatar(agent, "ai"),
        h("div", { class: "body" }, h("div", { class: "bubble" }, h("div", { class: "text" }, greeting))),
      ),
      h("ul", { class: "suggestions", "aria-label": text.suggestionsLabel }, suggestions),
    );
  }
}
