// A session kept level with the server: the replies being read, and what others
// do to it. Knows no document but the page's being shown and hidden.

import { Problem } from "./call.js";
import { Reply } from "./record.js";
import { Cut } from "./sse.js";
import { Typist } from "./typing.js";
import { Bell, backoff } from "./wait.js";

/** How long to wait for more where the server did not say, in milliseconds: its slowest pace. */
const SLOW_PACE = 20_000;
/** How long to sleep for something that rings the bell when it happens, in milliseconds. */
const UNTIL_RUNG = 60_000;
/** How often to ask although news are told by themselves, in milliseconds: one may have been lost. */
const TOLD_PACE = 60_000;

/**
 * What follows a Record. Events: `change`, whenever something to show did;
 * `message`, with a finished message of somebody else in `detail`; `notice`,
 * with words in `detail`. A page extends it and says what it does at `gone()`
 * and how it puts a Problem into words, `wordsFor(err)`.
 */
export class Follower extends EventTarget {
  /** What is shown. */
  record;
  /** `loading`, `ready` or `failed`: the transcript of what is shown. */
  phase = "ready";
  /** Whether the newest attempt to reach the server got through. */
  reached = true;
  /** Who types, as far as the server tells. */
  typist = new Typist(() => this.changed());
  /** Wakes whoever waits to ask the server again. */
  bell = new Bell();
  #api;
  #leave = new AbortController(); // ends everything read for the record shown
  #hide = new AbortController(); // ends the held request for updates

  /** `api` has `transcript(id, cursor, signal)`, `follow(id, run, last, signal)` and `updates(id, after, signal, typing)`. */
  constructor(api, record) {
    super();
    this.#api = api;
    this.record = record;
    api.onreach = (ok) => this.#reach(ok);
  }

  /** Whether to ask for updates also while a reply is read. */
  get asksWhileReading() {
    return false;
  }

  /** Whether news are told by themselves, so that asking is only for what was lost: see `tell`. */
  get isTold() {
    return false;
  }

  /** Whether to ask who types. */
  get asksWhoTypes() {
    return false;
  }

  /** How far a run had been read before the page was loaded, as a Reply, or undefined. */
  remembered() {
    return undefined;
  }

  /** Keeps how far a reply has been read; null forgets the one of `run`. */
  remember() {}

  /** Shows a record and reads on until another is shown. */
  async follow(record) {
    this.leave();
    const { signal } = (this.#leave = new AbortController());
    this.record = record;
    this.typist.heard(null);
    this.phase = record.id ? "loading" : "ready";
    this.changed();
    if (record.id && !(await this.#load(record, signal))) return;
    this.#poll(record, signal);
  }

  /** Stops reading. */
  leave() {
    this.#leave.abort();
  }

  /** Loads the page of entries before the oldest one shown. */
  async loadOlder() {
    const c = this.record;
    try {
      c.addOlder(await this.#api.transcript(c.id, c.older));
      this.changed();
    } catch (err) {
      this.explain(err);
    }
  }

  /** Listens to the network and to the page's being shown and hidden. */
  attend() {
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.changed());
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#hide.abort() : this.#wake()));
  }

  /** Reads a reply of the record shown from a stream that began already. */
  read(reply, stream) {
    return this.#read(this.record, reply, stream, this.#leave.signal);
  }

  /** Takes a session that a call returned. */
  takeSession(session) {
    this.record.setSession(session);
    this.#sync(this.record, this.#leave.signal);
  }

  explain(err) {
    if (!(err instanceof Problem)) throw err;
    this.notice(this.wordsFor(err));
    this.changed();
  }

  notice(words) {
    this.dispatchEvent(new CustomEvent("notice", { detail: words }));
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  // Returns whether the session is there and still the one shown.
  async #load(c, signal) {
    for (let tries = 0; ; tries++) {
      try {
        c.addNewest(await this.#api.transcript(c.id, null, signal));
        this.phase = "ready";
        this.#sync(c, signal);
        return true;
      } catch (err) {
        if (signal.aborted) return false;
        if (!err.passing) return this.#unloaded(err);
        await this.#sleep(backoff(tries), signal);
      }
      if (signal.aborted) return false;
    }
  }

  #unloaded(err) {
    if (!(err instanceof Problem)) throw err;
    if (err.code === "not_found") {
      this.gone();
    } else {
      this.phase = "failed";
      this.changed();
    }
    return false;
  }

  // Shows what changed, and reads the reply that is being written now.
  #sync(c, signal) {
    const run = c.session?.run;
    if (run && !c.isOver(run.id) && !c.replies.has(run.id)) {
      this.#read(c, this.remembered(run) ?? new Reply(run.id, run.seq), null, signal);
    }
    this.changed();
  }

  // Reads a reply to its end, over as many connections as it takes.
  async #read(c, reply, stream, signal) {
    if (reply.run) c.replies.set(reply.run, reply);
    signal.addEventListener("abort", () => stream?.return());
    for (let tries = 0; !signal.aborted; tries++) {
      let over = false;
      let pace; // at which the server wants to be asked again, where it has ended the stream
      try {
        stream ??= await this.#api.follow(c.id, reply.run, reply.last, signal);
        over = stream === null;
        for await (const event of stream ?? []) {
          tries = 0;
          if (event.event === "end") return this.#ended(c, reply, JSON.parse(event.data), signal);
          if (event.event === "text" && !this.#take(c, reply, event)) break;
        }
        pace = stream?.retry;
      } catch (err) {
        if (signal.aborted) return;
        over = err.code === "not_found";
        if (!over && !err.passing && !(err instanceof Cut)) return this.#lost(c, reply, err);
      }
      stream = null;
      if (!reply.run) return; // cut before it said that nobody answers
      if (over && (await this.#over(c, reply, signal))) return;
      await this.#sleep(pace ?? backoff(tries), signal);
    }
  }

  #lost(c, reply, err) {
    c.replies.delete(reply.run);
    this.explain(err);
  }

  #take(c, reply, event) {
    const whole = reply.take(event);
    if (!whole) reply.restart();
    this.remember(reply);
    this.changed();
    return whole;
  }

  #ended(c, reply, { message, session }, signal) {
    c.replies.delete(reply.run);
    this.remember(null, reply.run);
    if (message) this.#add(c, message);
    if (session) c.setSession(session);
    this.#sync(c, signal);
    this.bell.ring();
  }

  // A run that has nothing more to read has its outcome in the transcript.
  // Returns whether there is nothing left to do for it.
  async #over(c, reply, signal) {
    try {
      c.addNewest(await this.#api.transcript(c.id, null, signal));
    } catch (err) {
      if (signal.aborted || err.passing) return signal.aborted;
      c.replies.delete(reply.run);
      this.#unloaded(err);
      return true;
    }
    if (c.session.run?.id === reply.run) return false;
    c.replies.delete(reply.run);
    this.#sync(c, signal);
    return true;
  }

  #add(c, entry) {
    const isNew = c.add(entry);
    if (isNew && entry.type === "message" && entry.author.kind === this.typist.author?.kind) this.typist.heard(null);
    if (isNew) this.dispatchEvent(new CustomEvent("entry", { detail: entry }));
    if (isNew && entry.type === "message" && entry.author.kind !== "user") {
      this.dispatchEvent(new CustomEvent("message", { detail: entry }));
    }
  }

  // Asks what others did, at the server's pace, while the page is seen.
  async #poll(c, signal) {
    for (let tries = 0; !signal.aborted;) {
      if (document.hidden || !c.id || (c.replies.size > 0 && !this.asksWhileReading)) {
        await this.#sleep(UNTIL_RUNG, signal);
        continue;
      }
      let wait = SLOW_PACE;
      const hide = (this.#hide = new AbortController());
      try {
        const either = AbortSignal.any([signal, hide.signal]);
        const asks = this.asksWhoTypes;
        const stream = await this.#api.updates(c.id, c.cursor, either, asks);
        for await (const event of stream) {
          await this.#update(c, event, signal);
          if (event.event === "state" && this.isTold) break; // what comes later is told
          if (event.event === "state" && this.asksWhoTypes !== asks) break; // and is asked anew
        }
        tries = 0;
        if (this.asksWhoTypes !== asks) continue;
        wait = this.isTold ? TOLD_PACE : (stream.retry ?? SLOW_PACE);
      } catch (err) {
        if (signal.aborted) return;
        if (hide.signal.aborted) continue;
        if (err.code === "not_found") return this.gone();
        if (err.passing || err instanceof Cut) wait = backoff(tries++);
        else if (!(err instanceof Problem)) throw err;
      }
      await this.#sleep(wait, signal);
    }
  }

  async #update(c, { event, data, id }, signal) {
    const value = JSON.parse(data);
    if (event === "entry") {
      this.#add(c, value);
      if (value.amends) c.addNewest(await this.#api.transcript(c.id, null, signal));
    } else if (event === "state") {
      c.setSession(value);
    } else if (event === "typing") {
      this.typist.heard(value.author, value.endsIn);
    }
    c.cursor = Math.max(c.cursor, Number(id));
    this.#sync(c, signal);
  }

  /** Asks now, as when it has begun or ended that news are told. */
  askNow() {
    this.#hide.abort();
    this.bell.ring();
  }

  /** Takes news of a session that were told: `{session, entries, stale, state}`. What is missing is asked for. */
  tell({ session, entries = [], stale, state }) {
    const c = this.record;
    if (session !== c.id || this.phase !== "ready") return;
    for (const entry of entries) {
      if (entry.seq > c.cursor + 1) return this.askNow();
      this.#add(c, entry);
      c.cursor = Math.max(c.cursor, entry.seq);
    }
    if (stale) return this.askNow();
    c.setSession(state);
    this.#sync(c, this.#leave.signal);
  }

  #wake() {
    this.bell.ring();
    this.changed();
  }

  // Resolves early when the bell rings or the signal aborts; whoever sleeps looks at both.
  async #sleep(ms, signal) {
    await this.bell.sleep(ms, signal).catch(() => {});
  }

  #reach(ok) {
    if (this.reached === ok) return;
    this.reached = ok;
    this.changed();
  }
}
