// The link of a mailed answer: its ticket stands behind the "#" of the page's
// address, which no browser sends to any server.

const NAME = "parley";

/**
 * Opens what the page's address names, if it names anything: null if not, else
 * `{}` or `{problem, again}`; `again` says that the link may still work.
 */
export async function openMailLink(api, store) {
  const ticket = new URLSearchParams(location.hash.slice(1)).get(NAME);
  if (ticket === null) return null;
  const bare = location.pathname + location.search;
  try {
    const link = await api.openLink(ticket);
    history.replaceState(history.state, "", bare); // who is shown the page's address is not shown the link
    store.link = link;
    store.thread = link.session;
    return {};
  } catch (problem) {
    const again = problem.code === "network" || problem.code === "unavailable";
    if (!again) history.replaceState(history.state, "", bare);
    return { problem, again };
  }
}
