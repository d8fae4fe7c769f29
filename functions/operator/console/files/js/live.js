// The console's socket: what happens is told by it as it happens. While it is not
// there, whoever uses it asks the server again and again instead.

import { Problem } from "../web/call.js";

/** How often to say that the console is there, in milliseconds: API Gateway ends what is silent for 10 min. */
const PING = 8 * 60_000;
/** How long an answer to that may take, in milliseconds. */
const PONG = 10_000;
/** The first and the longest pause before connecting again, in milliseconds. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 5 * 60_000;

/**
 * Events: `change` when it has come or gone, `watching` when the session asked for is
 * told from now on, and what is told: `news`, `inbox` and `typing`, with the frame in `detail`.
 */
export class Live extends EventTarget {
  /** Whether it is there. */
  up = false;
  #api;
  #socket = null;
  /** Whether one is being opened, from the ticket on: there is never a second. */
  #opening = false;
  #watched = "";
  #tries = 0;
  #timer;
  #pong;
  #left = false;

  constructor(api) {
    super();
    this.#api = api;
  }

  start() {
    addEventListener("online", () => this.#again());
    this.#connect();
  }

  leave() {
    this.#left = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pong);
    this.#socket?.close();
  }

  /** Looks at a session, null for none. */
  watch(session) {
    this.#watched = session ?? "";
    this.say({ watch: this.#watched });
  }

  /** Says something, if the socket is there; returns whether it is. */
  say(frame) {
    if (this.up) this.#socket.send(JSON.stringify(frame));
    return this.up;
  }

  async #connect() {
    let way;
    this.#opening = true;
    try {
      way = await this.#api.ticket();
    } catch (err) {
      if (!(err instanceof Problem)) throw err;
      this.#opening = false;
      return this.#later();
    }
    if (this.#left || !way.socket) return; // this server has none
    const url = new URL(way.socket, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("ticket", way.ticket);
    const socket = (this.#socket = new WebSocket(url));
    socket.onopen = () => this.#opened();
    socket.onmessage = (e) => this.#take(JSON.parse(e.data));
    socket.onclose = () => this.#closed();
  }

  #opened() {
    this.#opening = false;
    this.#turn(true);
    this.watch(this.#watched);
    this.#pingLater();
  }

  #closed() {
    this.#opening = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#pong);
    this.#turn(false);
    this.#later();
  }

  #turn(up) {
    if (this.up === up) return;
    this.up = up;
    this.dispatchEvent(new Event("change"));
  }

  #later() {
    if (this.#left) return;
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#tries++, LONGEST_PAUSE);
    this.#timer = setTimeout(() => this.#connect(), pause * (0.75 + Math.random() / 2));
  }

  // The network is back: what waits for its pause need not.
  #again() {
    if (this.up || this.#left || this.#opening) return;
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.#connect();
  }

  #pingLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.say({ ping: true });
      this.#pong = setTimeout(() => this.#socket.close(), PONG);
    }, PING);
  }

  #take(frame) {
    this.#tries = 0;
    clearTimeout(this.#pong);
    if (frame.type === "pong") this.#pingLater();
    if (frame.type === "error" && frame.code === "connection_over") return this.#socket.close();
    if (frame.type === "watching" && frame.session !== this.#watched) return;
    this.dispatchEvent(new CustomEvent(frame.type, { detail: frame }));
  }
}
