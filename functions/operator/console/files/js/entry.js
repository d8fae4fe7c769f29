// The rows of a session as elements. Each view has `el` and `update(row)`.

import { button, h, icon } from "../web/dom.js";
import { formatDay } from "../web/format.js";
import { Markdown } from "../web/markdown.js";
import { attachment, avatar, dots, source, time } from "../web/parts.js";
import { words } from "../web/words.js";
import { badge } from "./person.js";
import { text } from "./text.js";

/**
 * The view of a row. `context` is what all rows share: `base` for relative
 * links, `nameOf(author)` for who wrote, and the actions `writeAgain(id)` and
 * `discard(id)`.
 */
export function entryView(row, context) {
  if (row.kind === "message") return new MessageView(row, context);
  const el = h("div", { class: row.kind });
  const draw = { day: drawDay, event: drawEvent, failure: drawFailure, review: drawReview }[row.kind];
  return { el, update: (next) => el.replaceChildren(...draw(next, context)) };
}

function drawDay(row) {
  return [h("span", {}, formatDay(Date.parse(row.at)))];
}

function drawEvent(row, { nameOf }) {
  const name = nameOf(row.author);
  const says = Object.hasOwn(text.event, row.event) ? text.event[row.event](name, row.data) : text.otherEvent(row.event);
  return [
    h("span", {}, row.event === "erased" ? text.erased : says, row.reason && ` · ${text.because(text.reason[row.reason] ?? row.reason)}`),
    time(row.at),
  ];
}

function drawFailure(row) {
  const stopped = row.status === "cancelled" || row.status === "taken_over";
  return [
    icon(stopped ? "stop" : "warn"),
    h("span", {}, stopped ? text.stoppedReply : text.failedReply, row.reason && ` ${text.because(row.reason)}`),
    time(row.at),
  ];
}

// What was found of the session when it closed: a model's words, never markup.
function drawReview(row) {
  const { summary, outcome, sentiment, tags = [] } = row.data;
  const judged = [text.outcome[outcome], text.sentiment[sentiment]].filter(Boolean);
  return [
    h("h3", {}, text.review, time(row.at)),
    h("p", { dir: "auto" }, summary || text.nothingSaid),
    judged.length + tags.length > 0 &&
      h("p", { class: "session-chips" }, [...judged, ...tags].map((words) => h("span", { class: "state-chip" }, words))),
  ].filter(Boolean);
}

// What the visitor's page showed before the message: anybody's words, never markup.
function greeting(said) {
  return h("div", { class: "greeting" }, h("h3", {}, text.pageShowed), said.map((words) => h("p", { dir: "auto" }, words)));
}

class MessageView {
  #context;
  #markdown = null;
  #shown = {}; // the row as drawn
  #text = h("div", { class: "text", dir: "auto" });
  #files = h("ul", { class: "files" });
  #bubble = h("div", { class: "bubble" }, this.#text, this.#files);
  #more = h("div", { class: "sources" });
  #meta = h("div", { class: "meta" });
  #speaker = h("span", { class: "hidden" });
  #mark = null;

  constructor(row, context) {
    this.#context = context;
    const body = h("div", { class: "body" }, this.#speaker, this.#bubble, this.#more, this.#meta);
    this.el = h("div", { class: `message ${row.who}` }, body);
    if (row.greeting?.length) body.prepend(greeting(row.greeting));
    if (row.who === "visitor") return;
    this.#mark = h("div", { class: "by" });
    this.el.append(this.#mark);
    this.#markdown = new Markdown(this.#text, context.base);
    this.#text.classList.add("prose");
  }

  update(row) {
    if (row.text !== this.#shown.text || row.live !== this.#shown.live) this.#drawText(row);
    if (row.revision !== this.#shown.revision || row.parts.length !== this.#shown.parts?.length) this.#drawParts(row);
    const name = this.#context.nameOf(row.author);
    this.#speaker.textContent = `${name}: `;
    this.#drawMark(row, name);
    this.#drawMeta(row, name);
    this.el.dataset.state = row.live ? "live" : row.state || row.status || "";
    this.#shown = row;
  }

  #drawMark(row, name) {
    if (!this.#mark || this.#mark.firstChild) return;
    this.#mark.append(row.who === "ai" ? avatar({}, "ai") : badge(row.author.name || name, row.author.id ?? ""));
  }

  #drawText(row) {
    const writing = row.live && row.text === "";
    if (writing) this.#text.replaceChildren(dots(this.#context.nameOf(row.author)));
    else if (this.#markdown) this.#drawMarkdown(row);
    else this.#text.textContent = row.text; // a visitor's words are never markup
    this.#text.hidden = row.text === "" && !writing;
    this.#bubble.hidden = this.#text.hidden && !row.parts.some((p) => p.type === "attachment");
  }

  #drawMarkdown(row) {
    if (this.#text.querySelector(".dots")) this.#text.replaceChildren();
    this.#markdown.show(row.text);
  }

  #drawParts(row) {
    const { base } = this.#context;
    const of = (type) => row.parts.filter((p) => p.type === type);
    this.#files.replaceChildren(...of("attachment").map((p) => attachment(p, base)));
    this.#files.hidden = of("attachment").length === 0;
    const links = of("source")
      .filter((p) => !row.text.includes(p.url ? `](${p.url})` : p.title))
      .map((p) => source(p, base))
      .filter(Boolean);
    const actions = of("action").map(actionCall);
    this.#more.replaceChildren(
      ...actions,
      ...(links.length ? [h("h3", {}, words.sources), h("ul", {}, links)] : []),
    );
    this.#more.hidden = links.length + actions.length === 0;
  }

  #drawMeta(row, name) {
    const broken = { incomplete: text.incomplete, cancelled: text.cancelled, taken_over: text.takenOverReply }[row.status];
    const parts = [
      h("span", { class: "name" }, name),
      row.internal && h("span", { class: "only-team" }, text.internal),
      row.at && time(row.at),
      row.seen && h("span", { class: "seen" }, icon("check"), text.seen),
      row.state === "sending" && h("span", {}, text.sending),
      row.state === "unsent" && h("span", {}, text.unsent),
      row.state === "waiting" && h("span", {}, text.waitsTurn),
      broken && h("span", { class: row.status === "incomplete" ? "bad" : "" }, broken),
      row.reason && h("span", {}, text.because(row.reason)),
    ].filter(Boolean);
    if (row.state === "failed") parts.push(...this.#failed(row));
    this.#meta.replaceChildren(...parts);
  }

  #failed(row) {
    const { writeAgain, discard } = this.#context;
    return [
      h("span", { class: "bad" }, row.problem),
      button(text.retry, { class: "small", onclick: () => writeAgain(row.id) }),
      button(text.discard, { class: "small", onclick: () => discard(row.id) }),
    ];
  }
}

// What the agent asked for, and what came of it.
function actionCall(part) {
  const [label, value] = part.error ? [text.actionError, part.error] : [text.actionResult, part.result];
  const block = (name, data) =>
    data !== undefined && data !== null && [h("h4", {}, name), h("pre", { tabindex: "0" }, asText(data))];
  return h(
    "details",
    { class: "action" },
    h("summary", {}, text.action(part.name)),
    block(text.actionArguments, part.arguments),
    block(label, value),
  );
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
