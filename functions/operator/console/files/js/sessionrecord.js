// A session as operators see it, and the rows to show for it. No network, no
// document.

import { Record, asPart, withDays } from "../web/record.js";

/** Kinds of events that change what is known besides what was said. */
const TELLING = new Set(["identified", "rated", "checkpoint", "closed", "resolved"]);

export class SessionRecord extends Record {
  #id;
  /** Visitor, contact, about, rating: what `readSession` tells besides; null before it did. */
  detail = null;
  /** How far the caller has seen the session. */
  seen = 0;
  /** How far the visitor has seen it, as far as its widget tells. */
  visitorSeen = 0;

  /** `id` may be null: no session is chosen. */
  constructor(id) {
    super();
    this.#id = id;
  }

  get id() {
    return this.#id;
  }

  addNewest(page) {
    super.addNewest(page);
    this.learn(page);
  }

  /** Takes what a page tells besides its entries. */
  learn({ visitor, contact, about, rating, seen, visitorSeen }) {
    this.detail = { visitor, contact, about, rating };
    this.seen = Math.max(this.seen, seen);
    this.visitorSeen = Math.max(this.visitorSeen, visitorSeen);
  }

  /** What was found of the session when it last closed, or null. */
  get review() {
    return this.entries.findLast((e) => e.event === "reviewed")?.data ?? null;
  }

  /** What visitors see of the AI's answers is what operators see: rows as in Record, with notes and all events. */
  rows(outbox) {
    const known = new Set(this.entries.map((e) => e.id));
    const seen = this.entries.findLast((e) => isAnswer(e) && e.seq <= this.visitorSeen);
    const rows = this.arrange((e) => ({ ...this.#row(e), seen: e === seen }));
    const waiting = outbox.filter((o) => !known.has(o.id)).map(pendingRow);
    return withDays([...rows, ...waiting]);
  }

  #row(e) {
    const common = { key: e.id, at: e.at, author: e.author, internal: e.internal ?? false, reason: e.reason };
    if (e.erased) return { ...common, kind: "event", event: "erased" };
    if (e.type === "event" && e.event === "no_reply") return { ...common, kind: "failure", status: e.status };
    if (e.event === "reviewed") return { ...common, kind: "review", data: e.data };
    if (e.type === "event") return { ...common, kind: "event", event: e.event, data: e.data };
    const fromRun = e.run && e.author.kind !== "user";
    return {
      ...common,
      kind: "message",
      key: fromRun ? e.run + "/reply" : e.id,
      who: e.internal ? "note" : e.author.kind === "user" ? "visitor" : e.author.kind === "human" ? "human" : "ai",
      text: e.text,
      parts: e.parts,
      greeting: e.greeting ?? [],
      revision: e.revision ?? 0,
      status: e.status,
      state: this.session?.queue?.some((q) => q.seq === e.seq) ? "waiting" : "",
    };
  }
}

function isAnswer(e) {
  return e.type === "message" && !e.internal && !e.erased && e.author.kind !== "user";
}

/** Whether an entry says that more is known now than what was said. */
export function isTelling(entry) {
  return entry.type === "event" && TELLING.has(entry.event);
}

function pendingRow(o) {
  return {
    kind: "message",
    key: o.id,
    id: o.id,
    who: o.kind === "note" ? "note" : "human",
    internal: o.kind === "note",
    author: o.author,
    text: o.content,
    parts: o.files.map(asPart),
    at: new Date(o.at).toISOString(),
    state: o.problem ? "failed" : o.underWay ? "sending" : "unsent",
    problem: o.problem,
  };
}
