// The conversation in hand: what is sent, and by the Follower what comes back.

import { Problem } from "../web/call.js";
import { Follower } from "../web/follow.js";
import { Reply } from "../web/record.js";
import { Conversation } from "./conversation.js";
import { Outbox } from "./outbox.js";
import { text } from "./text.js";

/** See Follower for its events. */
export class Chat extends Follower {
  outbox;
  #api;
  #store;

  constructor(api, store) {
    super(api, new Conversation(null));
    this.#api = api;
    this.#store = store;
    this.outbox = new Outbox({
      api,
      store,
      bell: this.bell,
      accepted: (item, data, stream) => this.#accepted(item, data, stream),
      refused: (words) => this.notice(words),
      changed: () => this.changed(),
    });
  }

  /** What is shown. */
  get conversation() {
    return this.record;
  }

  /** Who types is known of people only, and kept only where one of them has the session or is waited for. */
  get asksWhoTypes() {
    return this.#withPeople;
  }

  get #withPeople() {
    const { session } = this.conversation;
    return session?.state === "open" && session.holder !== "ai";
  }

  /** Tells people that the visitor types, or has stopped. */
  async setTyping(typing) {
    if (!this.#withPeople) return;
    try {
      await this.#api.setTyping(this.conversation.id, typing);
    } catch (err) {
      if (!(err instanceof Problem)) throw err; // the next word says it again
    }
  }

  /** Shows the conversation of last time and sends what was left to send. */
  start() {
    this.attend();
    addEventListener("pagehide", () => this.#depart());
    addEventListener("pageshow", (e) => e.persisted && this.open(this.conversation.thread));
    const thread = this.#store.thread;
    const begun = thread && (thread.startsWith("new:") ? this.outbox.of(thread).length > 0 : this.#api.known);
    this.open(begun ? thread : null);
    this.outbox.drain();
  }

  /** Shows a conversation; null is a blank one. Another than a mail's link opened is left to the visitor's own right. */
  open(thread) {
    if (this.#store.link && this.#store.link.session !== thread) this.#store.link = undefined;
    this.#store.thread = thread;
    return this.follow(new Conversation(thread));
  }

  /** Sends a message, or keeps it until it can be sent. `files` are completed uploads. */
  send(content, files) {
    const c = this.conversation;
    c.thread = this.outbox.add({ thread: c.thread, content, files });
    this.#store.thread = c.thread;
    this.changed();
  }

  /** Asks for another answer in place of a run that failed or broke off. */
  retry(run) {
    this.outbox.add({ thread: this.conversation.thread, retry: run });
  }

  /** Tries a message again that could not be sent. */
  sendAgain(id) {
    const thread = this.outbox.again(id);
    if (thread !== this.conversation.thread) this.open(thread);
  }

  /** Drops a message that could not be sent. */
  discard(id) {
    const c = this.conversation;
    c.thread = this.#store.thread = this.outbox.discard(id);
    this.changed();
  }

  /** Stops the answer being written. */
  async stop() {
    const c = this.conversation;
    try {
      const { message } = await this.#api.cancel(c.id, c.session.run.id);
      if (message) c.add(message);
      this.changed();
    } catch (err) {
      this.explain(err);
    }
  }

  /** Sends a form that a message asks for. Fails with a Problem. */
  async sendForm(message, form, values) {
    const c = this.conversation;
    c.add(await this.#api.sendForm(c.id, message, form, values));
    this.changed();
  }

  /** Says "up" or "down" of a message. */
  async vote(message, vote) {
    const c = this.conversation;
    try {
      c.add(await this.#api.vote(c.id, message, vote));
      this.changed();
    } catch (err) {
      this.explain(err);
    }
  }

  async rate(score, feedback) {
    const c = this.conversation;
    const rating = await this.#api.rate(c.id, score, feedback);
    c.session = { ...c.session, score: rating.score };
    this.changed();
  }

  async erase(session) {
    await this.#api.erase(session);
    if (this.conversation.id === session) this.open(null);
  }

  gone() {
    this.notice(text.gone);
    this.open(null);
  }

  wordsFor(err) {
    return text.problems[err.code] ?? err.message;
  }

  remembered(run) {
    const kept = this.#store.reply;
    const same = kept?.run === run.id && kept.session === this.conversation.id;
    return same ? new Reply(run.id, run.seq, kept.text, kept.last) : undefined;
  }

  remember(reply, run) {
    const session = this.conversation.id;
    if (reply) this.#store.reply = { session, run: reply.run, text: reply.text, last: reply.last };
    else if (this.#store.reply?.run === run) this.#store.reply = undefined;
  }

  #accepted(item, { session, message, run }, stream) {
    const c = this.conversation;
    if (c.thread !== item.thread && c.thread !== session.id) return stream.return();
    c.thread = this.#store.thread = session.id;
    c.add(message);
    c.setSession(session);
    this.bell.ring();
    this.changed();
    if (run && c.replies.has(run)) return stream.return(); // an update was quicker
    return this.read(new Reply(run, message.seq), stream);
  }

  #depart() {
    const { session } = this.conversation;
    if (session?.state === "open") this.#api.close(session.id);
    this.leave();
  }
}
