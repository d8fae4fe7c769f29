// What outlives a reload of the tab, and nothing else: the key, who acts, what
// is being written. All of it is in the session storage, which ends with the tab.

const PREFIX = "parley:console:";

export class Store {
  #memory = new Map(); // where the browser refuses

  get(name) {
    if (this.#memory.has(name)) return this.#memory.get(name);
    try {
      return JSON.parse(sessionStorage.getItem(PREFIX + name)) ?? undefined;
    } catch {
      return undefined; // storage is blocked
    }
  }

  /** Keeps a value; undefined removes it. */
  set(name, value) {
    this.#memory.delete(name);
    try {
      if (value === undefined) sessionStorage.removeItem(PREFIX + name);
      else sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
    } catch {
      if (value !== undefined) this.#memory.set(name, value); // blocked or full
    }
  }

  /** Forgets everything, as at signing out. */
  clear() {
    this.#memory.clear();
    try {
      const mine = Object.keys(sessionStorage).filter((k) => k.startsWith(PREFIX));
      for (const k of mine) sessionStorage.removeItem(k);
    } catch {
      // Storage is blocked: nothing is in it.
    }
  }

  /** What is written for a session and not sent yet: `{reply, note, mode}`. */
  draft(session) {
    return this.get(`draft:${session}`) ?? {};
  }

  setDraft(session, draft) {
    this.set(`draft:${session}`, draft.reply || draft.note ? draft : undefined);
  }

  /** Messages not yet accepted: `[{id, session, kind, content, files, takeOver, at, author}]`. */
  get outbox() {
    return this.get("outbox") ?? [];
  }
  set outbox(items) {
    this.set("outbox", items.length ? items : undefined);
  }
}
