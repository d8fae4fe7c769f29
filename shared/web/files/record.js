// One session as a page knows it: the server's entries, the replies being
// written, and the order in which to show both. No network, no document.

import { sameDay } from "./format.js";

const encoder = new TextEncoder();

/** A reply being written. Its text is always a prefix of the whole. */
export class Reply {
  #bytes; // of UTF-8, in which event ids count

  constructor(run, of, text = "", last = null) {
    this.run = run;
    /** The number of the message it answers. */
    this.of = of;
    this.text = text;
    /** The id of the newest event read, or null. */
    this.last = last;
    this.#bytes = encoder.encode(text).length;
  }

  /** Adds the text of one event. Returns false if text before it is missing; a repetition adds nothing. */
  take(event) {
    const end = Number(event.id.slice(event.id.lastIndexOf("/") + 1));
    if (end <= this.#bytes) return true;
    const { delta } = JSON.parse(event.data);
    if (this.#bytes + encoder.encode(delta).length !== end) return false;
    this.text += delta;
    this.#bytes = end;
    this.last = event.id;
    return true;
  }

  /** Forgets what was read, to read it all again. */
  restart() {
    this.text = "";
    this.#bytes = 0;
    this.last = null;
  }
}

export class Record {
  /** The newest Session, or null before one is known. */
  session = null;
  /** Everything up to this number is here, from the oldest loaded on. */
  cursor = 0;
  /** Leads to older entries; null at the beginning, undefined before a page was read. */
  older = undefined;
  /** Replies being written, by run. */
  replies = new Map();
  #entries = new Map(); // by number
  #over = new Set(); // runs whose outcome is known

  get id() {
    return this.session?.id ?? null;
  }

  /** What is known, in ascending order. */
  get entries() {
    return [...this.#entries.values()].sort((a, b) => a.seq - b.seq);
  }

  /** Takes a session unless what is known is newer. */
  setSession(session) {
    const known = this.session;
    if (known && (session.seq < known.seq || session.updatedAt < known.updatedAt)) return;
    this.session = session;
  }

  /** Takes an entry. Returns whether it was new. */
  add(entry) {
    const known = this.#entries.get(entry.seq);
    if (known && (entry.revision ?? 0) < (known.revision ?? 0)) return false;
    this.#entries.set(entry.seq, entry);
    if (entry.run && entry.author.kind !== "user") {
      this.replies.delete(entry.run);
      this.#over.add(entry.run);
    }
    return !known;
  }

  /** Whether it is known what became of a run. */
  isOver(run) {
    return this.#over.has(run);
  }

  /** The newest page of the transcript, perhaps read again. */
  addNewest({ session, entries, next }) {
    entries.forEach((e) => this.add(e));
    this.setSession(session);
    this.cursor = Math.max(this.cursor, session.seq);
    if (this.older === undefined) this.older = next;
  }

  /** The page that `older` led to. */
  addOlder({ entries, next }) {
    entries.forEach((e) => this.add(e));
    this.older = next;
  }

  /** The reply being written now, or null. */
  get writing() {
    const run = this.session?.run;
    return run ? (this.replies.get(run.id) ?? null) : null;
  }

  /**
   * Rows in the order to show. `rowOf(entry, {outdated, busy})` returns that of
   * an entry, or null: `outdated` tells that a later run has answered what it
   * answers, `busy` that one is at it. A reply stands below the message it
   * answers, so that messages waiting their turn stand below the reply being
   * written.
   */
  arrange(rowOf) {
    const entries = this.entries;
    const seqs = new Map(entries.map((e) => [e.id, e.seq]));
    const newest = new Map(); // the newest outcome by message
    for (const e of entries) if (e.of && e.run) newest.set(e.of, e.seq);
    const atWork = new Set([this.session?.run ?? [], this.session?.queue ?? []].flat().map((r) => r.seq));

    const placed = [];
    for (const e of entries) {
      const of = e.run ? seqs.get(e.of) : undefined;
      const outdated = newest.has(e.of) && newest.get(e.of) !== e.seq;
      const row = rowOf(e, { outdated, busy: atWork.has(of) });
      if (row) placed.push({ place: of ?? e.seq, seq: e.seq, row });
    }
    for (const reply of this.replies.values()) {
      if (reply.run !== this.session?.run?.id) continue;
      const row = { kind: "message", key: reply.run + "/reply", who: "ai", live: true, text: reply.text, parts: [] };
      placed.push({ place: reply.of, seq: Infinity, row });
    }
    placed.sort((a, b) => a.place - b.place || a.seq - b.seq);
    return placed.map((p) => p.row);
  }
}

/**
 * An id for a new message. Not randomUUID, which browsers have only where the
 * connection is secure: a phone that looks at a laptop's page has none.
 */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/** A completed upload as the part of a message that it becomes. */
export function asPart({ id, name, type, size, url }) {
  return { type: "attachment", id, name, mediaType: type, size, url };
}

/** Rows with a `day` row above the first of each day. */
export function withDays(rows) {
  const all = [];
  let day = null;
  for (const row of rows) {
    if (row.at && (day === null || !sameDay(Date.parse(day), Date.parse(row.at)))) {
      day = row.at;
      all.push({ kind: "day", key: `day ${row.key}`, at: day });
    }
    all.push(row);
  }
  return all;
}
