// The lists of sessions, newest activity first, looked at again and again.

import { Problem } from "../web/call.js";
import { button, h, icon, say } from "../web/dom.js";
import { formatExact } from "../web/format.js";
import { plainText } from "../web/markdown.js";
import { Typist } from "../web/typing.js";
import { Bell, backoff } from "../web/wait.js";
import { age, badge, leftWords, personName } from "./person.js";
import { text } from "./text.js";

/** What the API calls each list. */
const LISTS = {
  waiting: { state: "open", holder: "waiting" },
  human: { state: "open", holder: "human" },
  ai: { state: "open", holder: "ai" },
  closed: { state: "closed" },
  resolved: { state: "resolved" },
  spam: { state: "spam" },
  archived: { state: "archived" },
};
/** How often the list is looked at while it is seen, and while only the number of those who wait is, in milliseconds. */
const SEEN_PACE = 4000;
const HIDDEN_PACE = 30_000;
/** The same while news are told by themselves: one may have been lost. */
const TOLD_PACE = 60_000;
/** The least time between two looks for what is told, in milliseconds: a busy team has much of it. */
const TOLD_SETTLE = 2000;
/** How long to let changes gather before looking again, in milliseconds. */
const SETTLE = 250;

export class Inbox {
  #api;
  #actions;
  #bell = new Bell();
  #leave = new AbortController();
  #turn = new AbortController(); // ends what is read for a list that is not shown any more
  #list = "waiting";
  #items = new Map(); // by session
  #next = null; // the cursor of older sessions, null at the end
  #loaded = false;
  #current = null;
  #rows = new Map(); // by session: {el, drawn}
  #tabs = {};
  #ul = h("ul", { class: "items" });
  #status = h("p", { class: "status", role: "status" });
  #number = h("input", {
    type: "text",
    inputmode: "numeric",
    autocomplete: "off",
    maxlength: 20,
    placeholder: text.find,
    "aria-label": text.find,
  });
  #found = h("p", { class: "status", role: "status", hidden: true });
  #more;
  #retry;
  #touched = 0;
  #told; // whether news are told
  #lookedAt = 0;
  #typists = new Map(); // by session

  /**
   * `actions`: `open(session)`; `waiting(count, page)` for the number of those who
   * wait, like "3" or "30+", and the first page of them; `heldBy()`, the operator
   * whose sessions are looked at while the tab is in the background, undefined for
   * nobody's; `held(page)` for the first page of those; `told()`, whether news are told by
   * themselves; `explain(err)`.
   */
  constructor(api, actions) {
    this.#api = api;
    this.#actions = actions;
    this.#told = actions.told;
    this.#more = button(text.more, { class: "small", hidden: true, onclick: () => this.#loadMore() });
    this.#retry = button(text.retry, { class: "small", hidden: true, onclick: () => this.#bell.ring() });
    for (const name of Object.keys(LISTS)) {
      const count = h("span", { class: "count", hidden: true });
      const el = h("button", { type: "button", onclick: () => this.show(name) }, text.list[name], count);
      this.#tabs[name] = { el, count };
    }
    const tabs = h(
      "ul",
      { class: "lists" },
      Object.values(this.#tabs).map(({ el }) => h("li", {}, el)),
    );
    this.el = h(
      "section",
      { class: "inbox", "aria-label": text.inbox },
      h("nav", { "aria-label": text.lists }, tabs),
      h("form", { class: "find", role: "search", onsubmit: (e) => this.#find(e) }, this.#number),
      this.#found,
      h("div", { class: "list" }, this.#status, this.#retry, this.#ul, this.#more),
    );
    this.#ul.addEventListener("keydown", (e) => this.#walk(e));
    this.#drawTabs();
  }

  /** Looks until left. */
  async start() {
    document.addEventListener("visibilitychange", () => this.#turnedAway(), { signal: this.#leave.signal });
    addEventListener("online", () => this.#bell.ring(), { signal: this.#leave.signal });
    for (let tries = 0; !this.#leave.signal.aborted;) {
      const { signal: turn } = this.#turn;
      let wait = document.hidden ? HIDDEN_PACE : SEEN_PACE;
      try {
        this.#lookedAt = Date.now();
        await this.#look(turn);
        tries = 0;
      } catch (err) {
        if (!turn.aborted) {
          if (!(err instanceof Problem)) throw err;
          wait = Math.max(wait, backoff(tries++));
          if (!this.#loaded) this.#fail(err);
        }
      }
      if (turn.aborted) continue; // another list was chosen meanwhile
      if (this.#told()) wait = Math.max(wait, TOLD_PACE);
      await this.#bell.sleep(wait, this.#leave.signal).catch(() => {});
    }
  }

  leave() {
    this.#leave.abort();
    this.#turn.abort();
    clearTimeout(this.#touched);
  }

  /** Shows a list. */
  show(name) {
    this.#list = name;
    this.#turn.abort();
    this.#turn = new AbortController();
    this.#items.clear();
    this.#next = null;
    this.#loaded = false;
    this.#drawTabs();
    this.#draw();
    this.#bell.ring();
  }

  /** Looks again soon: a session was changed. */
  touch() {
    clearTimeout(this.#touched);
    this.#touched = setTimeout(() => this.#bell.ring(), SETTLE);
  }

  /** Looks now: it has begun or ended that news are told. */
  lookNow() {
    this.#bell.ring();
  }

  /** Takes the new state of a session that was told. What that does to lists is looked for. */
  tell(session) {
    this.#typists.get(session.id)?.heard(null);
    const item = this.#items.get(session.id);
    const { state, holder } = LISTS[this.#list];
    const fits = session.state === state && !session.archived && (!holder || session.holder === holder);
    if (item && fits && !document.hidden) {
      const unread = session.last?.kind === "user" && session.last.seq > item.seen;
      this.#items.set(session.id, { ...item, session, unread });
      return this.#draw();
    }
    clearTimeout(this.#touched);
    const settle = Math.max(SETTLE, this.#lookedAt + TOLD_SETTLE - Date.now());
    this.#touched = setTimeout(() => this.#bell.ring(), settle);
  }

  /** The operator has seen a session up to an entry. */
  saw(session, seen) {
    const item = this.#items.get(session);
    if (!item) return;
    this.#items.set(session, { ...item, seen, unread: item.unread && item.session.last.seq > seen });
    this.#draw();
  }

  /** The visitor of a session types for another `ms` milliseconds; a null `author` has stopped. */
  heard(session, author, ms) {
    if (!this.#typists.has(session)) this.#typists.set(session, new Typist(() => this.#draw()));
    this.#typists.get(session).heard(author?.kind === "user" ? author : null, ms);
  }

  /** Marks the session that is open. */
  mark(session) {
    this.#current = session;
    this.#draw();
  }

  /** Puts the focus on the session that is open, or the first. */
  focus() {
    const row = this.#rows.get(this.#current) ?? this.#rows.values().next().value;
    (row?.el.firstChild ?? this.#tabs[this.#list].el).focus();
  }

  // What is new while the tab is in the background is new since now.
  #turnedAway() {
    if (!document.hidden || this.#actions.heldBy() !== undefined) this.#bell.ring();
  }

  async #look(signal) {
    const list = this.#list;
    if (document.hidden && this.#loaded && list !== "waiting") await this.#count(signal);
    else await this.#read(list, signal);
    const operator = document.hidden ? this.#actions.heldBy() : undefined;
    if (operator !== undefined) this.#actions.held(await this.#api.inbox({ ...LISTS.human, operator }, null, signal));
  }

  async #read(list, signal) {
    const page = await this.#api.inbox(LISTS[list], null, signal);
    signal.throwIfAborted();
    this.#takeFirst(page);
    this.#draw();
    if (list === "waiting") this.#tell(page);
    else await this.#count(signal);
  }

  async #count(signal) {
    this.#tell(await this.#api.inbox(LISTS.waiting, null, signal));
  }

  #tell(page) {
    const { sessions, next } = page;
    const count = sessions.length === 0 ? "" : `${sessions.length}${next ? "+" : ""}`;
    this.#tabs.waiting.count.textContent = count;
    this.#tabs.waiting.count.hidden = count === "";
    this.#actions.waiting(count, page);
  }

  // The first page, perhaps read again: what has left its part of the list goes,
  // what was loaded of older pages stays.
  #takeFirst({ sessions, next }) {
    const oldest = sessions.at(-1)?.session.updatedAt;
    for (const [id, item] of this.#items) {
      if (next === null || item.session.updatedAt >= oldest) this.#items.delete(id);
    }
    this.#add(sessions);
    if (!this.#loaded || next === null) this.#next = next;
    this.#loaded = true;
  }

  #add(sessions) {
    for (const item of sessions) this.#items.set(item.session.id, item);
  }

  // Opens the session whose number somebody has read out.
  async #find(e) {
    e.preventDefault();
    const said = this.#number.value.trim();
    if (!said) return;
    this.#number.readOnly = true;
    this.#found.hidden = true;
    try {
      const sessions = await this.#api.byNumber(said, this.#leave.signal);
      if (sessions.length > 0) this.#actions.open(sessions[0].session.id);
      if (sessions.length === 1) this.#number.value = "";
      else say(this.#found, sessions.length === 0 ? text.findNothing : text.findSeveral);
    } catch (err) {
      if (err.code === "invalid_field") say(this.#found, text.findNothing);
      else if (!this.#leave.signal.aborted) this.#actions.explain(err);
    } finally {
      this.#number.readOnly = false;
    }
  }

  async #loadMore() {
    const { signal } = this.#turn;
    this.#more.disabled = true;
    try {
      const { sessions, next } = await this.#api.inbox(LISTS[this.#list], this.#next, signal);
      signal.throwIfAborted();
      this.#add(sessions);
      this.#next = next;
      this.#draw();
    } catch (err) {
      if (!signal.aborted) this.#actions.explain(err);
    } finally {
      this.#more.disabled = false;
    }
  }

  #fail(err) {
    say(this.#status, `${text.inboxFailed} ${text.problems[err.code] ?? err.message}`);
    this.#retry.hidden = false;
  }

  #drawTabs() {
    for (const [name, { el }] of Object.entries(this.#tabs)) {
      el.ariaCurrent = name === this.#list ? "true" : null;
    }
    this.#ul.setAttribute("aria-label", text.sessions(text.list[this.#list]));
  }

  #draw() {
    const items = [...this.#items.values()].sort((a, b) => (a.session.updatedAt < b.session.updatedAt ? 1 : -1));
    let at = this.#ul.firstChild;
    for (const item of items) {
      const row = this.#row(item);
      if (row.el === at) at = at.nextSibling;
      else this.#ul.insertBefore(row.el, at);
    }
    for (const [id, row] of this.#rows) {
      if (this.#items.has(id)) continue;
      row.el.remove();
      this.#rows.delete(id);
    }
    this.#more.hidden = this.#next === null;
    this.#retry.hidden = true;
    this.#status.textContent = this.#loaded ? text.empty[this.#list] : text.loadingInbox;
    this.#status.hidden = items.length > 0;
  }

  #row(item) {
    const { session } = item;
    let row = this.#rows.get(session.id);
    if (!row) {
      const open = h("button", { type: "button", class: "open", onclick: () => this.#actions.open(session.id) });
      this.#rows.set(session.id, (row = { el: h("li", {}, open) }));
    }
    const open = row.el.firstChild;
    const current = session.id === this.#current;
    const ages = [session.updatedAt, session.waitingSince, session.leftAt].map((time) => time && age(time));
    const types = Boolean(this.#typists.get(session.id)?.author);
    const drawn = JSON.stringify([item, current, ages, types]);
    if (row.drawn === drawn) return row;
    row.drawn = drawn;
    open.classList.toggle("unread", item.unread && !current);
    open.ariaCurrent = current ? "true" : null;
    open.replaceChildren(...inside(item, item.unread && !current, types));
    return row;
  }

  // Up and down go through the list, as in any list of messages.
  #walk(e) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[e.key];
    const next = step && e.target.closest("li")?.[step];
    if (!next) return;
    e.preventDefault();
    next.firstChild.focus();
  }
}

function inside({ session, person, page, unread: isUnread }, unread, types) {
  const name = personName(person, session.owner);
  const { last } = session;
  const words = last && (last.kind === "user" ? last.text : plainText(last.text));
  const who = last && { ai: text.preview.ai, human: text.preview.team, team: text.preview.team }[last.kind];
  const preview = last ? (who ?? "") + (words || text.attachmentOnly) : text.noMessages;
  const facts = [
    types && h("span", { class: "writes types" }, text.typing),
    session.waitingSince && session.state === "open" && h("span", { class: "waits" }, text.waits(age(session.waitingSince))),
    session.leftAt && session.state === "open" && h("span", { class: "left" }, leftWords(session.leftAt)),
    session.run && h("span", { class: "writes" }, text.writes),
    session.channel !== "native" && h("span", { class: "channel" }, session.channel),
    session.score && h("span", { class: "score" }, icon("star"), String(session.score)),
    page.title && h("span", { class: "where" }, page.title),
  ].filter(Boolean);
  return [
    badge(name, session.owner.contact ?? session.owner.visitor ?? session.id),
    h(
      "span",
      { class: "lines" },
      h(
        "span",
        { class: "top" },
        unread && isUnread && h("span", { class: "hidden" }, `${text.unread}: `),
        h("span", { class: "name" }, name),
        h("time", { datetime: session.updatedAt, title: formatExact(session.updatedAt) }, age(session.updatedAt)),
      ),
      h("span", { class: "preview", dir: "auto" }, preview),
      facts.length > 0 && h("span", { class: "facts" }, facts),
    ),
    unread && h("span", { class: "dot", "aria-hidden": "true" }),
  ].filter(Boolean);
}
