// The list of a visitor's conversations: newest first, to be opened or erased.

import { button, h, say } from "../web/dom.js";
import { formatAgo, formatExact } from "../web/format.js";
import { plainText } from "../web/markdown.js";
import { text } from "./text.js";

export class History {
  #api;
  #actions;
  #cursor = null;
  #items = h("ul", { class: "items" });
  #status = h("p", { class: "status", role: "status", tabindex: "-1" });
  #more;

  /** `actions`: `back()`, `open(session)`, `erase(session)`, `current()`, `announce(words)`, `explain(err)` for its words. */
  constructor(api, actions) {
    this.#api = api;
    this.#actions = actions;
    this.#more = button(text.historyMore, { class: "small", hidden: true, onclick: () => this.#load() });
    const head = h(
      "div",
      { class: "list-head" },
      button(text.back, { icon: "back", class: "bare", onclick: () => actions.back() }),
      h("h3", {}, text.history),
    );
    const list = h("div", { class: "list" }, this.#status, this.#items, this.#more);
    this.el = h("section", { class: "history", "aria-label": text.history, hidden: true }, head, list);
  }

  /** Shows the list as it is now. */
  async show() {
    this.el.hidden = false;
    this.#items.replaceChildren();
    this.#cursor = null;
    await this.#load();
    (this.#items.querySelector("button") ?? this.#status).focus();
  }

  hide() {
    this.el.hidden = true;
  }

  async #load() {
    this.#more.hidden = true;
    say(this.#status, this.#items.childElementCount === 0 ? text.loading : "");
    try {
      const { sessions, next } = this.#api.known
        ? await this.#api.sessions(this.#cursor)
        : { sessions: [], next: null };
      this.#items.append(...sessions.map((s) => this.#item(s)));
      this.#cursor = next;
      this.#more.textContent = text.historyMore;
      this.#more.hidden = next === null;
      say(this.#status, this.#items.childElementCount === 0 ? text.historyEmpty : "");
    } catch (err) {
      say(this.#status, `${text.historyFailed} ${this.#actions.explain(err)}`);
      this.#more.textContent = text.retry;
      this.#more.hidden = false;
    }
  }

  #item(session) {
    const { kind, text: last = "" } = session.last ?? {};
    const preview = (kind === "user" ? last : plainText(last)) || text.noPreview;
    const facts = [
      session.id === this.#actions.current() ? text.current : text.state[session.state],
      session.score && text.rated(session.score),
    ].filter(Boolean);
    const open = h(
      "button",
      { type: "button", class: "open", onclick: () => this.#actions.open(session.id) },
      h("span", { class: "preview" }, kind === "user" ? text.mine(preview) : preview),
      h(
        "span",
        { class: "facts" },
        h("time", { datetime: session.updatedAt, title: formatExact(session.updatedAt) }, formatAgo(session.updatedAt)),
        facts.map((f) => h("span", {}, f)),
      ),
    );
    const erase = button(text.erase(preview), {
      icon: "trash",
      class: "bare",
      onclick: () => this.#ask(item, session),
    });
    const item = h("li", {}, open, erase);
    return item;
  }

  // Asks in place of the item, and puts the item back unless told to go on.
  #ask(item, session) {
    const before = [...item.childNodes];
    const back = () => {
      item.classList.remove("asking");
      item.replaceChildren(...before);
      before[1].focus();
    };
    const no = button(text.eraseNo, { class: "small", onclick: back });
    const yes = button(text.eraseYes, {
      class: "small danger",
      onclick: () => this.#erase(item, session.id, question),
    });
    const question = h("p", { role: "alert" }, text.eraseAsk);
    item.classList.add("asking");
    item.replaceChildren(question, h("div", { class: "buttons" }, no, yes));
    item.onkeydown = (e) => {
      if (e.key !== "Escape" || !item.contains(no)) return;
      e.stopPropagation();
      back();
    };
    no.focus();
  }

  async #erase(item, session, question) {
    try {
      await this.#actions.erase(session);
    } catch (err) {
      question.textContent = this.#actions.explain(err);
      return;
    }
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    if (!next) say(this.#status, text.historyEmpty);
    (next?.querySelector("button") ?? this.#status).focus();
    this.#actions.announce(text.eraseDone);
  }
}
