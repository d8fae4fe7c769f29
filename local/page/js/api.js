// The native API of Parley, one method a call.

import { call, eventsOf, jsonOf, query } from "../web/call.js";
import { solve } from "../web/challenge.js";

/** A token is renewed once a page load when it has less than this left, in milliseconds. */
const RENEW_BEFORE = 7 * 24 * 3600_000;

const segment = encodeURIComponent;

export class Api {
  #key;
  #base;
  #store;
  #urls;
  #identifying;
  #renewed = false;
  /** Whether a new visitor has to solve a challenge, as far as is known. */
  #challenged = false;
  /** Called after each call: whether the server could be reached. */
  onreach = () => {};

  /** `base` is where `/config` is; every other address comes from there. */
  constructor(key, base, store) {
    this.#key = key;
    this.#base = base;
    this.#store = store;
  }

  /** Has to be called before anything else. */
  async config() {
    this.#urls = { config: this.#base };
    const config = await this.#json("config", "/config", { anonymous: true });
    this.#urls = config.urls;
    this.#challenged = Boolean(config.challenge);
    return config;
  }

  /** Whether this browser is a visitor already; otherwise there is nothing to list. */
  get known() {
    return this.#store.token !== undefined;
  }

  /** Uses up the ticket of a mail's link: `{token, expiresAt, session}`. */
  async openLink(ticket) {
    const options = { anonymous: true, method: "POST", body: { ticket } };
    return this.#json("identify", "/identify/link", options);
  }

  /** Sends a message or a retry; its stream begins with `accepted`. */
  async send(body, signal) {
    return this.#stream("chat", "/chat", { method: "POST", body, signal });
  }

  /** The rest of a run's stream after the event id `last`, or null when it is over. */
  async follow(session, run, last, signal) {
    const headers = last ? { "Last-Event-ID": last } : {};
    return this.#stream("chat", `/chat/${segment(session)}/runs/${segment(run)}`, { headers, signal });
  }

  async cancel(session, run) {
    return this.#json("chat", `/chat/${segment(session)}/cancel`, { method: "POST", body: { run } });
  }

  /** Sends a form of the message; its answer is the message with what came of it. */
  async sendForm(session, message, form, values) {
    const body = { messageId: message, call: form, arguments: values };
    return (await this.#json("chat", `/chat/${segment(session)}/form`, { method: "POST", body })).message;
  }

  /** Says "up" or "down" of a message; its answer is the message. */
  async vote(session, message, vote) {
    const body = { messageId: message, vote };
    return (await this.#json("chat", `/chat/${segment(session)}/vote`, { method: "POST", body })).message;
  }

  /** What came after entry number `after`, as a stream of `entry` and `state`, and of `typing` where that is asked. */
  async updates(session, after, signal, typing) {
    const asked = query({ after, typing: typing ? 1 : undefined });
    return this.#stream("updates", `/updates/${segment(session)}?${asked}`, { signal });
  }

  /** Says that the visitor types, or has stopped. */
  async setTyping(session, typing) {
    await this.#json("chat", `/chat/${segment(session)}/typing`, { method: "POST", body: { typing } });
  }

  /** Tells the server that the page goes away. Needs no answer and waits for none. */
  close(session) {
    const token = this.#store.token?.token;
    if (token) navigator.sendBeacon(this.#url("close", "/close"), JSON.stringify({ key: this.#key, token, session }));
  }

  async sessions(cursor, limit = 20) {
    return this.#json("history", `/history?${query({ limit, cursor })}`);
  }

  async transcript(session, cursor, signal) {
    return this.#json("history", `/history/${segment(session)}?${query({ limit: 50, cursor })}`, { signal });
  }

  async erase(session) {
    return this.#json("history", `/history/${segment(session)}`, { method: "DELETE" });
  }

  async rating(session) {
    return (await this.#json("csat", `/csat/${segment(session)}`)).rating;
  }

  async rate(session, score, feedback) {
    return (await this.#json("csat", "/csat", { method: "POST", body: { sessionId: session, score, feedback } }))
      .rating;
  }

  /** Leave to upload one file: `{id, upload: {url, fields}, file}`. */
  async grant(name, type, size, signal) {
    return this.#json("uploads", "/uploads", { method: "POST", body: { name, type, size }, signal });
  }

  async complete(id, signal) {
    return (await this.#json("uploads", `/uploads/${segment(id)}/complete`, { method: "POST", signal })).file;
  }

  #url(name, path) {
    return this.#urls[name].replace(/\/+$/, "") + path;
  }

  async #json(name, path, options = {}) {
    return jsonOf(await this.#call(name, path, options));
  }

  async #stream(name, path, options) {
    const headers = { ...options.headers, Accept: "text/event-stream" };
    return eventsOf(await this.#call(name, path, { ...options, headers }));
  }

  // A token that no longer counts is replaced, once.
  async #call(name, path, options) {
    const url = this.#url(name, path);
    if (options.anonymous) return this.#fetch(url, options);
    try {
      return await this.#fetch(url, { ...options, token: await this.#token() });
    } catch (err) {
      if (!/^token_/.test(err.code)) throw err;
      return this.#fetch(url, { ...options, token: await this.#identify() });
    }
  }

  async #token() {
    const held = this.#store.token;
    const ages = held && !this.#store.link && Date.parse(held.expiresAt) - Date.now() < RENEW_BEFORE;
    if (!held || (ages && !this.#renewed)) return this.#identify();
    return held.token;
  }

  #identify() {
    this.#identifying ??= this.#newToken().finally(() => (this.#identifying = undefined));
    return this.#identifying;
  }

  // The old token, where it still counts, keeps the visitor the same.
  async #newToken() {
    this.#renewed = true;
    this.#store.link = undefined; // its token is never replaced
    const old = this.#store.token?.token;
    const { token, expiresAt } = await (old ? this.#renew(old) : this.#enter(this.#challenged));
    this.#store.token = { token, expiresAt };
    return token;
  }

  async #renew(old) {
    try {
      return await this.#introduce({ token: old });
    } catch (err) {
      if (!/^token_/.test(err.code)) throw err;
      return this.#enter(this.#challenged);
    }
  }

  // As a new visitor. A challenge that is wanted by now, or was too late, is solved once more.
  async #enter(challenged, again = true) {
    try {
      return await this.#introduce({ altcha: challenged ? await this.#solution() : undefined });
    } catch (err) {
      if (!again || !/^challenge_/.test(err.code)) throw err;
      return this.#enter(true, false);
    }
  }

  async #introduce({ token, altcha }) {
    const body = { language: navigator.language, altcha };
    return this.#once("identify", "/identify", { method: "POST", body, token });
  }

  async #solution() {
    return solve(await this.#once("identify", "/identify/challenge", {}));
  }

  async #once(name, path, options) {
    return jsonOf(await this.#fetch(this.#url(name, path), options));
  }

  async #fetch(url, { token, headers, ...options }) {
    const auth = token && { Authorization: `Bearer ${token}` };
    const all = { "Parley-Key": this.#key, ...auth, ...headers };
    return call(url, { ...options, headers: all, onreach: (ok) => this.onreach(ok) });
  }
}
