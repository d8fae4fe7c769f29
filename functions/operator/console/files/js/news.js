// Which sessions of a list are news since it was first looked at. No network, no
// document.

/**
 * Compares what a list says each time it is looked at. A session is news when its
 * mark, a time, is later than the one known; at the first look none is.
 */
export class News {
  #markOf;
  #known = null; // marks by session, null before the first look
  #floor = ""; // of sessions that the first look did not reach

  /** `markOf(item)` returns the server's time of what could be news, or null. */
  constructor(markOf) {
    this.#markOf = markOf;
  }

  /** Takes a first page of a list, newest activity first, and returns its news, oldest first. */
  take({ sessions, next }) {
    const first = this.#known === null;
    if (first) {
      this.#known = new Map();
      // What is further down was last active before the end of this page.
      this.#floor = next ? sessions.at(-1).session.updatedAt : "";
    }
    const news = [];
    for (const item of sessions) {
      const mark = this.#markOf(item);
      if (!mark || mark <= (this.#known.get(item.session.id) ?? this.#floor)) continue;
      this.#known.set(item.session.id, mark);
      if (!first) news.push(item);
    }
    return news.sort((a, b) => (this.#markOf(a) < this.#markOf(b) ? -1 : 1));
  }

  /** Begins anew: the next look is a first one. */
  forget() {
    this.#known = null;
  }
}

/** When a session began to wait. */
export function waitingMark({ session }) {
  return session.waitingSince;
}

/** When the visitor wrote what nobody has seen yet. */
export function messageMark({ session, unread }) {
  return unread && session.last?.kind === "user" ? session.last.at : null;
}

/** The longest text of a notification, in characters; systems show about three lines. */
const LONGEST = 140;

/** Words of any length and shape as one short line. */
export function cut(words) {
  const all = [...words.replace(/\s+/g, " ").trim()];
  return all.length > LONGEST ? all.slice(0, LONGEST - 1).join("").trimEnd() + "…" : all.join("");
}
