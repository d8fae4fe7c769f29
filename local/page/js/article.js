// A help article as a page: the text that this very address serves to programs.

import { h } from "../web/dom.js";
import { Markdown } from "../web/markdown.js";
import { startTheme } from "../web/toggle.js";

/** The address of a heading in its article: lower case, no punctuation, hyphens for spaces, a number for the second. */
function anchors() {
  const met = new Map();
  return (heading) => {
    const name = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-");
    const before = met.get(name) ?? 0;
    met.set(name, before + 1);
    return before ? `${name}-${before}` : name;
  };
}

/** The title, and the rest without its first heading and the comments that are for the search. */
function parts(source) {
  const [, title, rest] = /^# (.*)\n([^]*)$/.exec(source) ?? [null, "", source];
  return [title, rest.replace(/^<!-- keywords:.*-->$/gm, "")];
}

async function show(into) {
  const response = await fetch(location.pathname, { headers: { Accept: "text/plain" } });
  const [title, rest] = parts(await response.text());
  if (title) document.title = `${title} · Parley`;
  const prose = h("div", { class: "prose" });
  into.replaceChildren(h("h1", {}, title), prose);
  new Markdown(prose, location.href, { breaks: false }).show(rest);
  const anchor = anchors();
  anchor(title);
  for (const el of prose.querySelectorAll("h3, h4, h5, h6")) el.id = anchor(el.textContent);
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

startTheme(document.querySelector("[data-theme-toggle]"));
show(document.querySelector("main"));
