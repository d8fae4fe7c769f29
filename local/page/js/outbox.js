// Messages on their way to the server. Each keeps the id it was written under
// until it is accepted, so that trying again, also after a reload, never
// doubles it.

import { Problem } from "../web/call.js";
import { newId } from "../web/record.js";
import { Cut } from "../web/sse.js";
import { text } from "./text.js";
import { Bell, backoff } from "../web/wait.js";

/** A browser opens six connections to a host over HTTP/1.1; these many may be held by messages. */
const MAX_OPEN = 3;
/** A refusal with a longer wait than this, in seconds, is left to the visitor to repeat. */
const MAX_WAIT = 120;
/** How long a full queue is given before the next try, in seconds, where the server does not say. */
const QUEUE_WAIT = 5;

export class Outbox {
  #api;
  #store;
  #bell;
  #accepted;
  #refused;
  #changed;
  #items; // what the store holds, with what only this page knows: underWay, until
  #open = 0;
  #lastAt = 0;

  /**
   * `accepted(item, event, stream)` takes over a stream after its first event,
   * and returns a promise for its end. `refused(words)` tells of a retry that the
   * server does not take. `changed` is called whenever an item did.
   */
  constructor({ api, store, bell, accepted, refused, changed }) {
    this.#api = api;
    this.#store = store;
    this.#bell = bell;
    this.#accepted = accepted;
    this.#refused = refused;
    this.#changed = changed;
    this.#items = store.outbox;
  }

  /** What waits in a thread, oldest first. */
  of(thread) {
    return this.#items.filter((i) => i.thread === thread);
  }

  /** Keeps and sends a message, or with `retry` the wish for another answer; a thread of null begins one. Returns the thread. */
  add({ thread, content = "", files = [], retry }) {
    const id = newId();
    this.#lastAt = Math.max(Date.now(), this.#lastAt + 1);
    const item = { id, at: this.#lastAt, thread: thread ?? `new:${id}`, content, files, retry };
    this.#items.push(item);
    this.#save(item);
    this.drain();
    return item.thread;
  }

  /** Tries a failed item again; where its conversation is gone, as the first message of a new one. Returns its thread. */
  again(id) {
    const item = this.#items.find((i) => i.id === id);
    const taken = item.code === "message_id_conflict";
    if (taken || startsAnew(item.code)) {
      const thread = taken && !item.thread.startsWith("new:") ? item.thread : null;
      this.discard(id);
      return this.add({ ...item, thread });
    }
    item.problem = item.code = undefined;
    this.#save(item);
    this.drain();
    return item.thread;
  }

  /** Drops a failed item; the next one of a conversation that never began begins it. Returns the thread of what is left, or null. */
  discard(id) {
    const item = this.#items.find((i) => i.id === id);
    this.#drop(item);
    const [next] = this.of(item.thread);
    if (!item.thread.startsWith("new:")) return item.thread;
    if (next) this.#rename(item.thread, `new:${next.id}`);
    this.drain();
    return next?.thread ?? null;
  }

  /** Starts what can be sent: in each thread one after another, as soon as the one before is accepted. */
  drain() {
    const busy = new Set(this.#items.filter((i) => i.underWay).map((i) => i.thread));
    for (const item of this.#items) {
      if (this.#open >= MAX_OPEN) return;
      const headless = item.thread.startsWith("new:") && item.thread !== `new:${item.id}`;
      if (item.problem || headless || busy.has(item.thread)) continue;
      busy.add(item.thread);
      this.#deliver(item);
    }
  }

  async #deliver(item) {
    item.underWay = true;
    this.#open++;
    this.#changed();
    for (let tries = 0; item.underWay; tries++) {
      try {
        const stream = await this.#api.send(body(item));
        const { value: first } = await stream.next();
        if (first?.event !== "accepted") throw Problem.network(); // cut before it began
        await this.#settle(item, first, stream);
      } catch (err) {
        await this.#judge(item, err, tries);
      }
    }
    this.#open--;
    this.drain();
  }

  // The server has it: nothing that happens to the stream from here on sends it again.
  async #settle(item, first, stream) {
    const data = JSON.parse(first.data);
    item.underWay = false;
    this.#drop(item);
    this.#rename(item.thread, data.session.id);
    const ended = this.#accepted(item, data, stream);
    this.drain();
    await ended;
  }

  async #judge(item, err, tries) {
    const limited = err.code === "rate_limited" || err.code === "queue_full";
    const wait = err.retryAfter ?? (err.code === "queue_full" ? QUEUE_WAIT : 1);
    if (limited && wait <= MAX_WAIT) {
      item.until = Date.now() + wait * 1000;
      this.#changed();
      const bell = err.code === "queue_full" ? this.#bell : new Bell(); // an answer's end makes room
      await bell.sleep(wait * 1000);
      item.until = undefined;
      this.#changed();
    } else if (err.passing || err instanceof Cut) {
      await this.#bell.sleep(Math.max(backoff(tries), (err.retryAfter ?? 0) * 1000));
    } else if (err instanceof Problem) {
      this.#fail(item, err);
    } else {
      throw err;
    }
  }

  #fail(item, err) {
    item.underWay = false;
    const words = text.problems[err.code] ?? err.message;
    if (item.retry) {
      this.#drop(item);
      return this.#refused(words);
    }
    item.problem = words;
    item.code = err.code;
    this.#save(item);
  }

  #rename(from, to) {
    for (const item of this.of(from)) {
      item.thread = to;
      this.#save(item);
    }
  }

  #save(item) {
    const { underWay, until, ...kept } = item;
    this.#store.putOut(kept);
    this.#changed();
  }

  #drop(item) {
    this.#items = this.#items.filter((i) => i !== item);
    this.#store.dropOut(item.id);
    this.#changed();
  }
}

/** Whether a message that was refused with this code can only be sent in a new conversation. */
export function startsAnew(code) {
  return code === "not_found" || code === "session_closed";
}

function body(item) {
  return {
    messageId: item.id,
    content: item.content,
    sessionId: item.thread.startsWith("new:") ? undefined : item.thread,
    attachments: item.files.length ? item.files.map((f) => f.id) : undefined,
    retry: item.retry,
    page: { url: location.href.slice(0, 500), title: document.title.slice(0, 200) },
    language: navigator.language,
  };
}
