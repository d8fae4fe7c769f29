// The operator API of Parley, one method a call.

import { call, eventsOf, jsonOf, query } from "../web/call.js";

const segment = encodeURIComponent;
const inSession = (session, rest = "") => `/sessions/${segment(session)}${rest}`;

export class Api {
  #key;
  /** The id of the operator who acts, for a key of the server; "" is nobody. */
  operator = "";
  /** Called after each call: whether the server could be reached. */
  onreach = () => {};
  /** Called when the key, or the operator who acts, does not count any more. */
  onrefused = () => {};

  constructor(key) {
    this.#key = key;
  }

  async me() {
    return this.#json("/me");
  }

  /** What opens the console's socket, once: `{ticket, socket}`. */
  async ticket() {
    return this.#json("/ticket", { method: "POST" });
  }

  /** Says that the operator types to the visitor, or has stopped. */
  async setTyping(session, typing) {
    await this.#json(inSession(session, "/typing"), { method: "PUT", body: { typing } });
  }

  /** A page of the inbox: `{state, holder, operator}` and the cursor of the page before. */
  async inbox(list, cursor, signal) {
    return this.#json(`/inbox?${query({ ...list, limit: 30, cursor })}`, { signal });
  }

  /** The sessions, as in the inbox, that have a number: usually one. */
  async byNumber(number, signal) {
    return (await this.#json(`/sessions?${query({ number })}`, { signal })).sessions;
  }

  async transcript(session, cursor, signal) {
    return this.#json(`${inSession(session)}?${query({ limit: 50, cursor })}`, { signal });
  }

  /** What is known of a session besides its entries, which has the newest one with it. */
  async glance(session) {
    return this.#json(`${inSession(session)}?${query({ limit: 1 })}`);
  }

  /** What came after entry number `after`, as a stream of `entry` and `state`. */
  async updates(session, after, signal) {
    return this.#stream(`${inSession(session, "/updates")}?after=${after}`, { signal });
  }

  /** The rest of a run's stream after the event id `last`, or null when it is over. */
  async follow(session, run, last, signal) {
    const headers = last ? { "Last-Event-ID": last } : {};
    return this.#stream(inSession(session, `/runs/${segment(run)}`), { headers, signal });
  }

  /** Writes to the visitor, or with `kind` "note" to the team: `{session, message}`. */
  async write(session, kind, body) {
    return this.#json(inSession(session, `/${kind}`), { method: "POST", body });
  }

  async setHolder(session, holder) {
    return this.#change(inSession(session, "/holder"), { holder });
  }

  async setState(session, state) {
    return this.#change(inSession(session, "/state"), { state });
  }

  async setArchived(session, archived) {
    return this.#change(inSession(session, "/archived"), { archived });
  }

  async setSeen(session, seen) {
    return (await this.#json(inSession(session, "/seen"), { method: "PUT", body: { seen } })).seen;
  }

  /** Blocks one of the `whose`, "visitors" or "contacts", or lets them in again. */
  async setBlocked(whose, id, blocked) {
    const body = { blocked };
    return (await this.#json(`/${whose}/${segment(id)}/blocked`, { method: "PUT", body })).blocked;
  }

  /** Leave to upload one file: `{id, upload: {url, fields}, file}`. */
  async grant(name, type, size, signal) {
    return this.#json("/uploads", { method: "POST", body: { name, type, size }, signal });
  }

  async complete(id, signal) {
    return (await this.#json(`/uploads/${segment(id)}/complete`, { method: "POST", signal })).file;
  }

  /** Figures of the days from one to another, both like 2026-11-20. */
  async figures(from, to, signal) {
    return this.#json(`/figures?${query({ from, to })}`, { signal });
  }

  async ratings(cursor, signal) {
    return this.#json(`/ratings?${query({ limit: 20, cursor })}`, { signal });
  }

  async #change(path, body) {
    return (await this.#json(path, { method: "PUT", body })).session;
  }

  async #json(path, options) {
    return jsonOf(await this.#call(path, options));
  }

  async #stream(path, { headers, signal }) {
    return eventsOf(await this.#call(path, { headers: { ...headers, Accept: "text/event-stream" }, signal }));
  }

  async #call(path, { headers, ...options } = {}) {
    const all = {
      Authorization: `Bearer ${this.#key}`,
      ...(this.operator && { "Parley-Operator": this.operator }),
      ...headers,
    };
    try {
      return await call(`/operator${path}`, { ...options, headers: all, onreach: (ok) => this.onreach(ok) });
    } catch (err) {
      if (err.code === "unknown_key" || err.code === "operator_unknown") this.onrefused(err);
      throw err;
    }
  }
}
