// Calls of a server of Parley: problems, deadlines, streams.

import { EventStream } from "./sse.js";

/** How long a server may take to begin an answer, in milliseconds: API Gateway gives up after 30 s. */
const FIRST_BYTE = 35_000;
/** How long a stream may be silent: heartbeats come every 10 s. */
const SILENCE = 25_000;

/** A refusal: the server's problem document, or code `network` when none came. */
export class Problem extends Error {
  constructor(status, document, cause) {
    super(document.detail ?? document.title ?? document.code ?? String(status), { cause });
    this.status = status;
    this.code = document.code ?? (status >= 500 ? "unavailable" : "");
    this.field = document.field;
    /** Seconds after which the call may be made again, or undefined. */
    this.retryAfter = document.retryAfter;
  }

  /** Whether the very same call may well succeed soon: no connection, or a server out of breath. */
  get passing() {
    return this.code === "network" || this.code === "unavailable";
  }

  static network(cause) {
    return new Problem(0, { code: "network" }, cause);
  }

  static async from(response) {
    const document = await response.json().catch(() => ({}));
    const header = Number(response.headers.get("Retry-After"));
    return new Problem(response.status, { retryAfter: header || undefined, ...document });
  }
}

/**
 * Makes a call and returns the response; a refusal is thrown as a Problem.
 * `onreach` is told whether the server could be reached.
 */
export async function call(url, { method = "GET", body, headers, signal, onreach = () => {} }) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new TypeError("no answer in time")), FIRST_BYTE);
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: { ...(body && { "Content-Type": "application/json" }), ...headers },
      body: body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      cache: "no-store",
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
  } catch (err) {
    if (signal?.aborted) throw signal.reason;
    onreach(false);
    throw Problem.network(err);
  } finally {
    clearTimeout(timer);
  }
  onreach(true);
  if (!response.ok) throw await Problem.from(response);
  return response;
}

/** The body of a response as JSON. */
export async function jsonOf(response) {
  try {
    return await response.json();
  } catch (err) {
    throw Problem.network(err); // cut in the middle
  }
}

/** The events of a response, or null where the server says that there are no more. */
export function eventsOf(response) {
  return response.status === 204 ? null : new EventStream(response.body, SILENCE);
}

/** A query string of what is given: undefined and null are left out. */
export function query(values) {
  const given = Object.entries(values).filter(([, v]) => v !== undefined && v !== null);
  return new URLSearchParams(given).toString();
}
