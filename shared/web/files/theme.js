// Loaded before anything is drawn, so that a chosen theme does not flash in late.

try {
  const chosen = localStorage.getItem("parley:theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is blocked: the system's theme it is.
}
