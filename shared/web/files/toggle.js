// The switch between the light and the dark theme; theme.js applies it early.

import { icon } from "./dom.js";
import { words } from "./words.js";

const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
}

/** Makes a button the switch. */
export function startTheme(toggle) {
  const label = () => {
    const says = isDark() ? words.toLight : words.toDark;
    toggle.setAttribute("aria-label", says);
    toggle.title = says;
    toggle.replaceChildren(icon(isDark() ? "sun" : "moon"));
  };
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
    localStorage.setItem("parley:theme", root.dataset.theme); // throws where storage is blocked
  });
  prefersDark.addEventListener("change", label);
  label();
}
