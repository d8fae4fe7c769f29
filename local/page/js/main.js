// Starts the page: the chat in its place, the theme switch, the questions to ask.

import { startTheme } from "../web/toggle.js";
import { Widget } from "./widget.js";

// A page names its project itself; this one is told by the server that serves it.
async function settings(mount) {
  const { key, base } = mount.dataset.key ? mount.dataset : await (await fetch("/demo.json")).json();
  return { key, base: base || location.origin };
}

startTheme(document.querySelector("[data-theme-toggle]"));
const mount = document.querySelector("[data-parley]");
const widget = new Widget(mount, await settings(mount));
for (const el of document.querySelectorAll("[data-ask]"))
  el.addEventListener("click", () => widget.ask(el.textContent));
document.querySelector("[data-open-chat]").addEventListener("click", () => widget.open());
