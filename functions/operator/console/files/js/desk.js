// The session in hand: what an operator does with it, and by the Follower what
// comes back.

import { Problem } from "../web/call.js";
import { Follower } from "../web/follow.js";
import { newId } from "../web/record.js";
import { backoff } from "../web/wait.js";
import { SessionRecord, isTelling } from "./sessionrecord.js";
import { text } from "./text.js";

/** How often it is looked whether a visitor whose page gives signs is still there and what it has seen, in milliseconds. */
const GLANCE = 20_000;

/**
 * See Follower for its events; besides, `touched` when a session was changed or
 * has news, so that the inbox looks again, and `done` with words in `detail`.
 */
export class Desk extends Follower {
  #api;
  #store;
  #live;
  #outbox; // what the store holds, with what only this page knows: underWay

  #me;
  #glances;

  /** `live` is the console's socket; `me` is the author of what is written here, as entries name it. */
  constructor(api, live, store, me) {
    super(api, new SessionRecord(null));
    this.#api = api;
    this.#live = live;
    this.#store = store;
    this.#me = me;
    this.#outbox = store.outbox;
    live.addEventListener("change", () => this.askNow());
    live.addEventListener("watching", () => this.askNow()); // what came before it was
    live.addEventListener("news", ({ detail }) => this.tell(detail));
    live.addEventListener("typing", ({ detail: { session, author, endsIn, text: preview } }) => {
      if (session === this.record.id) this.typist.heard(author ? { ...author, preview } : null, endsIn);
    });
    this.addEventListener("entry", ({ detail }) => {
      if (!this.isTold) this.#touch(); // else the list is told too
      if (isTelling(detail)) this.#refresh();
    });
  }

  /** What a person writes and what another operator does is seen while the AI writes. */
  get asksWhileReading() {
    return true;
  }

  get isTold() {
    return this.#live.up;
  }

  start() {
    this.attend();
    for (const item of this.#outbox) if (!item.problem) this.#deliver(item);
  }

  leave() {
    clearInterval(this.#glances);
    super.leave();
  }

  /** Shows a session; null is none. */
  open(id) {
    this.#live.watch(id);
    const followed = this.follow(new SessionRecord(id)); // which leaves the session before
    this.#glances = setInterval(() => this.#glance(), GLANCE);
    return followed;
  }

  gone() {
    this.notice(text.gone);
    this.dispatchEvent(new Event("gone"));
    this.open(null);
  }

  wordsFor(err) {
    return text.problems[err.code] ?? err.message;
  }

  rows() {
    return this.record.rows(this.#outbox.filter((o) => o.session === this.record.id));
  }

  /** Writes `{content, files, takeOver}` to the visitor ("reply") or the team ("note"), as soon as the server can be reached. */
  write(kind, message) {
    const item = { id: newId(), session: this.record.id, kind, ...message, at: Date.now(), author: this.#me };
    this.#outbox.push(item);
    this.#save();
    this.#deliver(item);
  }

  writeAgain(id) {
    const item = this.#outbox.find((o) => o.id === id);
    item.problem = undefined;
    this.#deliver(item);
  }

  discard(id) {
    this.#outbox = this.#outbox.filter((o) => o.id !== id);
    this.#save();
  }

  setHolder(holder) {
    return this.#change(() => this.#api.setHolder(this.record.id, holder), text.done[holder]);
  }

  setState(state) {
    return this.#change(() => this.#api.setState(this.record.id, state), text.done[state]);
  }

  setArchived(archived) {
    const words = archived ? text.done.archived : text.done.unarchived;
    return this.#change(() => this.#api.setArchived(this.record.id, archived), words);
  }

  /** Blocks the session's `who`, "visitor" or "contact", or lets them in again. */
  async setBlocked(who, blocked) {
    const { record } = this;
    try {
      const now = await this.#api.setBlocked(`${who}s`, record.detail[who].id, blocked);
      record.detail = { ...record.detail, [who]: { ...record.detail[who], blocked: now } };
      this.#tell((now ? text.done.blocked : text.done.unblocked)[who]);
      this.changed();
    } catch (err) {
      this.explain(err);
    }
  }

  /** Tells the visitor that the operator types, or has stopped. */
  async setTyping(typing) {
    const { session } = this.record;
    if (session?.state !== "open" || session.holder === "ai") return;
    if (this.#live.say({ typing })) return;
    try {
      await this.#api.setTyping(session.id, typing);
    } catch (err) {
      if (!(err instanceof Problem)) throw err; // the next word says it again
    }
  }

  /** Says that the operator has seen everything that is here. */
  async see() {
    const { record } = this;
    const { session, cursor, seen } = record;
    if (cursor <= seen || !session?.last || session.last.seq <= seen) return;
    record.seen = cursor;
    if (this.#live.say({ seen: cursor })) {
      this.dispatchEvent(new CustomEvent("seen", { detail: { session: session.id, seen: cursor } }));
      return;
    }
    try {
      await this.#api.setSeen(session.id, cursor);
      this.#touch();
    } catch (err) {
      if (!(err instanceof Problem)) throw err;
      record.seen = seen; // the next look says it again
    }
  }

  async #change(call, words) {
    const { record } = this;
    try {
      const session = await call();
      if (this.record === record) this.takeSession(session);
      this.bell.ring(); // its event entry is in the order now
      this.#tell(words);
      this.#touch();
    } catch (err) {
      this.explain(err);
    }
  }

  async #deliver(item) {
    item.underWay = true;
    this.changed();
    const { id: messageId, content, files, takeOver } = item;
    const attachments = files.length ? files.map((f) => f.id) : undefined;
    const body = item.kind === "reply" ? { messageId, content, attachments, takeOver } : { messageId, content };
    for (let tries = 0; item.underWay; tries++) {
      try {
        const { session, message } = await this.#api.write(item.session, item.kind, body);
        item.underWay = false;
        this.discard(item.id);
        if (this.record.id === item.session) {
          this.record.add(message);
          this.takeSession(session);
          this.bell.ring();
        }
        this.#touch();
      } catch (err) {
        if (!(err instanceof Problem)) throw err;
        if (err.passing) await this.bell.sleep(backoff(tries));
        else this.#fail(item, err);
      }
    }
  }

  #fail(item, err) {
    item.underWay = false;
    item.problem = this.wordsFor(err);
    this.#save();
  }

  // What is known of a session besides its entries comes with a page of them.
  async #refresh() {
    const { record } = this;
    try {
      record.addNewest(await this.#api.transcript(record.id));
      this.changed();
    } catch (err) {
      if (!(err instanceof Problem)) throw err; // what is shown stays
    }
  }

  async #glance() {
    const { record } = this;
    if (document.hidden || !record.detail?.visitor?.lastSeenAt) return;
    try {
      record.learn(await this.#api.glance(record.id));
      this.changed();
    } catch (err) {
      if (!(err instanceof Problem)) throw err;
      if (err.code === "not_found" && this.record === record) this.gone(); // else the next one tells
    }
  }

  #save() {
    this.#store.outbox = this.#outbox.map(({ underWay, ...kept }) => kept);
    this.changed();
  }

  #touch() {
    this.dispatchEvent(new Event("touched"));
  }

  #tell(words) {
    this.dispatchEvent(new CustomEvent("done", { detail: words }));
  }
}
