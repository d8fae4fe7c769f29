// One conversation as this page knows it, and the rows to show for it. No
// network, no document.

import { Record, asPart, withDays } from "../web/record.js";
import { text as words } from "./text.js";

export class Conversation extends Record {
  /** `thread` is what the Store calls it, or null for a blank one. */
  constructor(thread) {
    super();
    this.thread = thread;
  }

  get id() {
    return this.session?.id ?? (this.thread?.startsWith("new:") ? null : this.thread);
  }

  /** The newest operator who spoke or took over, or null. */
  get human() {
    const humans = this.entries.filter((e) => e.author.kind === "human");
    return humans.at(-1)?.author ?? null;
  }

  /** Whether somebody has answered anything. */
  get answered() {
    return this.entries.some((e) => e.type === "message" && e.author.kind !== "user" && !e.erased);
  }

  /**
   * What to show, in order: `day`, `message`, `failure` and `event` rows, each
   * with a key that stays. `outbox` is what the server has not accepted yet.
   */
  rows(outbox = []) {
    const retrying = new Set(outbox.map((o) => o.retry));
    const rows = this.arrange((e, { outdated, busy }) => {
      const canRetry = !outdated && !busy && !retrying.has(e.run);
      return this.#row(e, { outdated, canRetry });
    });
    const known = new Set(this.entries.map((e) => e.id));
    const waiting = outbox.filter((o) => !o.retry && !known.has(o.id)).map(pendingRow);
    if (waiting.length) rows.forEach((row) => (row.helps = false));
    return withDays([...rows, ...waiting]);
  }

  #row(e, { outdated, canRetry }) {
    if (e.erased) return { kind: "event", key: e.id, event: "erased", at: e.at };
    const broken = e.status === "failed" || e.status === "incomplete";
    if (e.type === "event") {
      if (e.event !== "no_reply" && !(e.event in words.events)) return null;
      if (e.event !== "no_reply") return { kind: "event", key: e.id, event: e.event, author: e.author, at: e.at };
      if (outdated || e.status === "taken_over") return null;
      return { kind: "failure", key: e.id, status: e.status, run: e.run, retry: broken && canRetry, at: e.at };
    }
    if (e.status === "failed" && outdated) return null; // an apology that was made good
    const mine = e.author.kind === "user";
    return {
      kind: "message",
      key: e.run && !mine ? e.run + "/reply" : e.id,
      id: e.id,
      who: mine ? "me" : e.author.kind === "human" ? "human" : "ai",
      author: e.author,
      text: e.text ?? "",
      parts: e.parts ?? [],
      at: e.at,
      revision: e.revision ?? 0,
      state: mine && this.session?.queue?.some((q) => q.seq === e.seq) ? "waiting" : "",
      status: mine ? "" : e.status,
      run: e.run,
      retry: !mine && broken && canRetry,
      vote: e.vote,
      votable: !mine && !broken && e.author.kind !== "system" && e.author.kind !== "team",
      helps: this.#helps(e),
    };
  }

  // Whether to ask if it did: of the newest message, while the agent has the session.
  #helps(e) {
    const last = this.entries.filter((o) => o.type === "message" && !o.erased).at(-1);
    return Boolean(e.likelyResolved) && last === e && !e.vote && this.session?.holder === "ai" && !this.session.run;
  }
}

function pendingRow(o) {
  const state = o.problem ? "failed" : o.until ? "limited" : o.underWay ? "sending" : "unsent";
  return {
    kind: "message",
    key: o.id,
    id: o.id,
    who: "me",
    text: o.content,
    parts: o.files.map(asPart),
    at: new Date(o.at).toISOString(),
    state,
    problem: o.problem,
    code: o.code,
    until: o.until,
  };
}
