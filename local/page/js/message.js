// The rows of a transcript as elements. Each view has `el` and `update(row)`.

import { button, h, icon } from "../web/dom.js";
import { formatDay } from "../web/format.js";
import { Markdown } from "../web/markdown.js";
import { attachment, avatar, dots, source, time } from "../web/parts.js";
import { card } from "./card.js";
import { words } from "../web/words.js";
import { startsAnew } from "./outbox.js";
import { text } from "./text.js";

/**
 * The view of a row. `context` is what all rows share: `base` for relative
 * links, `agent` with name and picture, and the actions `retry(run)`,
 * `sendAgain(id)`, `discard(id)`, `ask(words)`, `vote(id, vote)`,
 * `sendForm(id, form, values)` and `explain(err)`.
 */
export function rowView(row, context) {
  if (row.kind === "message") return new MessageView(row, context);
  const el = h("div", { class: row.kind });
  const draw = { day: drawDay, event: drawEvent, failure: drawFailure }[row.kind];
  return { el, update: (next) => el.replaceChildren(...draw(next, context)) };
}

function drawDay(row) {
  return [h("span", {}, formatDay(Date.parse(row.at)))];
}

function drawEvent(row, { agent }) {
  const name = row.event === "handed_back" ? agent.name : row.author?.name;
  const words = row.event === "erased" ? text.erased : text.events[row.event](name);
  return [h("span", {}, words), time(row.at)];
}

function drawFailure(row, { retry }) {
  const words = row.status === "cancelled" ? text.cancelled : text.failed;
  return [
    row.status === "cancelled" ? icon("stop") : icon("warn"),
    h("span", {}, words),
    row.retry && button(text.retry, { class: "small", onclick: () => retry(row.run) }),
  ].filter(Boolean);
}

class MessageView {
  #context;
  #markdown = null;
  #shown = {}; // the row as drawn
  #text = h("div", { class: "text" });
  #files = h("ul", { class: "files" });
  #bubble = h("div", { class: "bubble" }, this.#text, this.#files);
  #sources = h("div", { class: "sources" });
  #cards = h("div", { class: "cards" });
  #helps = h("div", { class: "helps" });
  #meta = h("div", { class: "meta" });
  #metaDrawn = "";
  #speaker = h("span", { class: "hidden" });

  constructor(row, context) {
    this.#context = context;
    const side = h("div", { class: "body" }, this.#speaker, this.#bubble, this.#cards, this.#sources, this.#meta, this.#helps);
    this.el = h("div", { class: `message ${row.who}` }, side);
    if (row.who !== "me") {
      this.#markdown = new Markdown(this.#text, context.base);
      this.#text.classList.add("prose");
      this.el.prepend(avatar(row.author?.name ? row.author : context.agent, row.who));
    }
  }

  update(row) {
    const first = this.#shown.key === undefined;
    if (row.text !== this.#shown.text || row.live !== this.#shown.live) this.#drawText(row);
    if (first || row.parts.length !== this.#shown.parts.length || row.revision !== this.#shown.revision)
      this.#drawParts(row);
    this.#speaker.textContent = `${this.#name(row)}: `;
    this.#drawMeta(row);
    if (first || row.helps !== this.#shown.helps) this.#drawHelps(row);
    this.el.dataset.state = row.live ? "live" : row.state || row.status || "";
    this.#shown = row;
  }

  #name(row) {
    if (row.who === "me") return text.you;
    if (row.who === "ai") return row.author?.name ?? this.#context.agent.name; // the system speaks in its name
    return row.author.name ?? text.someone;
  }

  #drawText(row) {
    const writing = row.live && row.text === "";
    if (writing) this.#text.replaceChildren(dots(this.#name(row)));
    else if (this.#markdown) this.#drawMarkdown(row);
    else this.#text.textContent = row.text; // a visitor's words are never markup
    this.#bubble.hidden = row.text === "" && !writing && !row.parts.some((p) => p.type === "attachment");
    this.#text.hidden = row.text === "" && !writing;
  }

  #drawMarkdown(row) {
    if (this.#text.querySelector(".dots")) this.#text.replaceChildren();
    this.#markdown.show(row.text);
  }

  #drawParts(row) {
    const of = (type) => row.parts.filter((p) => p.type === type);
    this.#files.replaceChildren(...of("attachment").map((p) => attachment(p, this.#context.base)));
    this.#files.hidden = of("attachment").length === 0;
    this.#cards.replaceChildren(...of("action").map((p) => card(p, row.id, this.#context)));
    this.#cards.hidden = of("action").length === 0;
    // A reply may link its sources itself.
    const links = of("source")
      .filter((p) => !row.text.includes(p.url ? `](${p.url})` : p.title))
      .map((p) => source(p, this.#context.base))
      .filter(Boolean);
    this.#sources.replaceChildren(...(links.length ? [h("h3", {}, words.sources), h("ul", {}, links)] : []));
    this.#sources.hidden = links.length === 0;
  }

  #drawMeta(row) {
    const { retry } = this.#context;
    const broken = row.status === "incomplete" ? text.incomplete : row.status === "cancelled" ? text.cancelled : "";
    const parts = [
      row.who === "human" && h("span", { class: "name" }, this.#name(row)),
      row.at && time(row.at),
      row.who === "me" && this.#stateOf(row),
      broken && h("span", { class: row.status === "incomplete" ? "bad" : "" }, broken),
      row.retry && button(text.retry, { class: "small", onclick: () => retry(row.run) }),
      row.votable && !row.live && row.at && this.#votes(row),
    ].filter(Boolean);
    const drawn = JSON.stringify([row.at, row.state, row.until && Date.now(), row.status, row.retry, row.vote, row.problem, row.votable, row.live]);
    if (drawn === this.#metaDrawn) return; // keeps the focus on its buttons
    this.#metaDrawn = drawn;
    if (row.state === "failed") parts.push(...this.#failedActions(row));
    this.#meta.replaceChildren(...parts);
    this.#meta.hidden = parts.length === 0;
  }

  // Suggested replies: what is chosen is sent like any other message.
  #drawHelps(row) {
    const { ask, vote } = this.#context;
    const yes = () => {
      vote(row.id, "up");
      ask(text.helpedYes);
    };
    const choices = [
      button(text.helpedYes, { class: "suggestion", onclick: yes }),
      button(text.helpedNo, { class: "suggestion", onclick: () => ask(text.helpedNo) }),
    ];
    this.#helps.replaceChildren(...(row.helps ? [h("p", {}, text.helped), ...choices] : []));
    this.#helps.hidden = !row.helps;
  }

  #votes(row) {
    const choice = (vote, name, words) =>
      button(words, {
        icon: name,
        class: "bare vote",
        "aria-pressed": String(row.vote === vote),
        onclick: () => this.#context.vote(row.id, vote),
      });
    return h("span", { class: "votes" }, choice("up", "good", text.voteUp), choice("down", "poor", text.voteDown));
  }

  #stateOf(row) {
    switch (row.state) {
      case "sending":
        return h("span", {}, text.sending);
      case "unsent":
        return h("span", {}, text.unsent);
      case "waiting":
        return h("span", {}, text.waiting);
      case "limited":
        return h("span", { class: "bad" }, text.sendingIn(Math.max(1, Math.ceil((row.until - Date.now()) / 1000))));
      case "failed":
        return h("span", { class: "bad" }, row.problem);
    }
    return null;
  }

  #failedActions(row) {
    const { sendAgain, discard } = this.#context;
    const again = startsAnew(row.code) ? text.sendFresh : text.retry;
    return [
      button(again, { class: "small", onclick: () => sendAgain(row.id) }),
      button(text.discard, { class: "small", onclick: () => discard(row.id) }),
    ];
  }
}
