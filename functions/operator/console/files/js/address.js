// What the address after # says is shown: `#/`, `#/figures`, `#/session/ID`. Links
// of notifications lead here too, so what stands in it is not to be trusted.

/** The longest id of a session, in bytes: MaxIDBytes of the server. */
const LONGEST = 128;

/** The address of a session, or of the inbox where `session` is null. */
export function addressOf(session) {
  return session ? `#/session/${encodeURIComponent(session)}` : "#/";
}

/**
 * What an address shows: `{view, session}` with a view of "inbox", "figures" or
 * "session". One that names no session that could be shows the inbox, with `wrong`.
 */
export function parseAddress(hash) {
  const [, view = "", ...rest] = hash.split("/");
  if (view === "figures") return { view, session: null, wrong: false };
  const session = view === "session" && rest.length === 1 ? idOf(rest[0]) : null;
  if (session) return { view, session, wrong: false };
  return { view: "inbox", session: null, wrong: view === "session" };
}

// Null for what is no id. Of all that can be escaped, only dots alone are no segment
// of a path: browsers take them away, and the call would be another one.
function idOf(escaped) {
  let id;
  try {
    id = decodeURIComponent(escaped);
  } catch {
    return null;
  }
  if (id === "." || id === ".." || new TextEncoder().encode(id).length > LONGEST) return null;
  return id || null;
}
