// What outlives a reload of the tab, and nothing else: the key, who acts, what
// is being written. All of it is in the session storage, which ends with the tab.

import { Area } from "../web/area.js";

export class Store extends Area {
  constructor() {
    super(() => sessionStorage, "parley:console:");
  }

  /** Forgets everything, as at signing out. */
  clear() {
    for (const name of this.names("")) this.set(name, undefined);
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
