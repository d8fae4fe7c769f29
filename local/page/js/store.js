// What outlives a reload. Tabs share the token, the newest conversation and the
// messages not yet accepted; a tab has its own conversation, draft and reply.

import { Area } from "../web/area.js";

/**
 * The page's memory for one project. A *thread* names a conversation here: its
 * session id, or `new:` and the id of its first message until that is accepted.
 */
export class Store {
  #shared;
  #tab;

  constructor(key, shared = () => localStorage, tab = () => sessionStorage) {
    this.#shared = new Area(shared, `parley:${key}:`);
    this.#tab = new Area(tab, `parley:${key}:`);
  }

  /** `{token, expiresAt}` or undefined: that of a mail's link, while this tab shows what it opened. */
  get token() {
    return this.link ?? this.#shared.get("token");
  }
  set token(value) {
    this.link = undefined; // it is no longer valid, or who wants another one leaves it
    this.#shared.set("token", value);
  }

  /** What the link of a mail has opened in this tab: `{token, expiresAt, session}`. */
  get link() {
    return this.#tab.get("link");
  }
  set link(value) {
    this.#tab.set("link", value);
  }

  /** The conversation this tab shows, else the newest of any tab; null is a blank one. */
  get thread() {
    return this.#tab.get("thread") ?? (this.#tab.get("blank") ? null : (this.#shared.get("thread") ?? null));
  }
  set thread(value) {
    this.#tab.set("thread", value ?? undefined);
    this.#tab.set("blank", value ? undefined : true);
    if (!this.link) this.#shared.set("thread", value ?? undefined); // other tabs have no right to it
  }

  /** How far a reply has been read: `{session, run, of, text, last}`; `last` is an event id. */
  get reply() {
    return this.#tab.get("reply");
  }
  set reply(value) {
    this.#tab.set("reply", value);
  }

  get draft() {
    return this.#tab.get("draft") ?? "";
  }
  set draft(value) {
    this.#tab.set("draft", value || undefined);
  }

  /** Whether the visitor left the chat open in this tab; undefined if never said. */
  get open() {
    return this.#tab.get("open");
  }
  set open(value) {
    this.#tab.set("open", value);
  }

  /** Messages written and not yet accepted, oldest first. */
  get outbox() {
    return this.#shared
      .names("out:")
      .map((name) => this.#shared.get(name))
      .filter(Boolean)
      .sort((a, b) => a.at - b.at);
  }

  /** Keeps a message `{id, at, thread, …}` until it is accepted; one item each, so that tabs do not overwrite each other's. */
  putOut(item) {
    this.#shared.set(`out:${item.id}`, item);
  }

  dropOut(id) {
    this.#shared.set(`out:${id}`, undefined);
  }
}
