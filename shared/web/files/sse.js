// Server-sent events from a fetch. EventSource cannot send headers, and the
// visitor's token is one, so the stream is read here: line ends, fields and
// dispatch as in "Server-sent events" of the HTML standard.

/** Turns bytes, cut anywhere, into events `{event, data, id}`. */
export class Parser {
  /** The newest `retry:` in milliseconds, or undefined. */
  retry;
  #decoder = new TextDecoder(); // drops a byte order mark, keeps split characters
  #rest = "";
  #afterCR = false;
  #data = [];
  #type = "";
  #id = "";

  /** Returns the events that these bytes complete. */
  push(bytes) {
    let chunk = this.#decoder.decode(bytes, { stream: true });
    if (this.#afterCR && chunk !== "") {
      if (chunk[0] === "\n") chunk = chunk.slice(1);
      this.#afterCR = false;
    }
    const text = this.#rest + chunk;
    const events = [];
    const lineEnd = /\r\n|\r|\n/g;
    let start = 0;
    for (let m; (m = lineEnd.exec(text)); start = lineEnd.lastIndex) {
      const event = this.#line(text.slice(start, m.index));
      if (event) events.push(event);
    }
    this.#afterCR ||= start > 0 && start === text.length && text.endsWith("\r");
    this.#rest = text.slice(start);
    return events;
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #dispatch() {
    const event = { event: this.#type || "message", data: this.#data.join("\n"), id: this.#id };
    const empty = this.#data.length === 0;
    this.#type = "";
    this.#data = [];
    return empty ? null : event;
  }
}

/** A stream that broke, or fell silent, before its end. */
export class Cut extends Error {}

/**
 * The events of a response body. Ends when the body does; throws a Cut when it
 * breaks, or when nothing, not even a heartbeat, came for `idle` milliseconds.
 */
export class EventStream {
  #parser = new Parser();
  #reader;
  #events;

  constructor(body, idle) {
    this.#reader = body.getReader();
    this.#events = this.#read(idle);
  }

  /** The newest `retry:` in milliseconds, or undefined. */
  get retry() {
    return this.#parser.retry;
  }

  next() {
    return this.#events.next();
  }

  /** Lets go of the connection; whoever waits for an event is told that there are no more. */
  async return() {
    await this.#reader.cancel().catch(() => {}); // it may be broken already
    return this.#events.return();
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async *#read(idle) {
    try {
      for (;;) {
        const { done, value } = await within(idle, this.#reader.read());
        if (done) return;
        yield* this.#parser.push(value);
      }
    } finally {
      this.#reader.cancel().catch(() => {}); // the connection is gone either way
    }
  }
}

function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Cut("the stream fell silent")), ms);
  });
  const broken = (cause) => {
    throw new Cut("the stream broke", { cause });
  };
  return Promise.race([promise.catch(broken), late]).finally(() => clearTimeout(timer));
}
