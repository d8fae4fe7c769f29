// Who of several tabs does what only one should: the first that claims it.

const NAME = "parley:console:claims";
/** How long a claim is kept, in milliseconds: a tab that slept so long tells what the others told yesterday. */
const KEPT = 24 * 60 * 60 * 1000;
/** How many claims are kept; the oldest go first. */
const MOST = 200;

/** Claims `what` for this tab. Resolves to whether no tab of this browser had claimed it before. */
export async function claim(what, now = Date.now()) {
  // Without locks two tabs could read at the same instant; browsers have them
  // wherever they have notifications.
  if (!navigator.locks) return note(what, now);
  return navigator.locks.request(NAME, () => note(what, now));
}

function note(what, now) {
  const claims = read().filter(([, at]) => now - at < KEPT);
  if (claims.some(([name]) => name === what)) return false;
  try {
    localStorage.setItem(NAME, JSON.stringify([...claims, [what, now]].slice(-MOST)));
  } catch {
    // Storage is blocked or full: each tab is alone.
  }
  return true;
}

function read() {
  try {
    const claims = JSON.parse(localStorage.getItem(NAME));
    return Array.isArray(claims) ? claims : [];
  } catch {
    return [];
  }
}
