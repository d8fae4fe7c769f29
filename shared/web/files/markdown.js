// Markdown of answers, made safe twice: raw HTML is shown as what was typed,
// and what marked makes goes through DOMPurify, the only way from text to
// elements that the page's Content-Security-Policy allows.

import { Marked } from "./vendor/marked/marked.esm.js";
import DOMPurify from "./vendor/dompurify/purify.es.mjs";
import { button, h, icon, safeURL } from "./dom.js";
import { words } from "./words.js";

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (s) => s.replace(/[&<>"']/g, (c) => ESCAPES[c]);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: (token) => escape(token.text),
    // A picture would tell its host that the answer was read: a link, on request.
    image: ({ href, text: alt }) => `<a href="${escape(href)}">${escape(words.picture(alt))}</a>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    // The page has its own first and second level.
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
  },
});

const ALLOWED = {
  ALLOWED_TAGS: "a blockquote br code del em h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul".split(
    " ",
  ),
  ALLOWED_ATTR: ["align", "href", "start", "title"],
  RETURN_DOM_FRAGMENT: true,
};

/** The words of an answer without its markup, on one line. */
export function plainText(source) {
  return DOMPurify.sanitize(marked.parse(source), ALLOWED).textContent.replace(/\s+/g, " ").trim();
}

/** Renders one answer into an element, again and again while it grows: blocks that stay the same are left alone. */
export class Markdown {
  #el;
  #base;
  #options;
  #blocks = []; // {raw, el}

  /** Relative links are meant from `base`. With `breaks` a line's end is one, as people type; articles wrap lines. */
  constructor(el, base, { breaks = true } = {}) {
    this.#el = el;
    this.#base = base;
    this.#options = { ...marked.defaults, breaks };
  }

  show(source) {
    const tokens = marked.lexer(source, this.#options).filter((t) => t.type !== "space" && t.type !== "def");
    tokens.forEach((token, i) => {
      const old = this.#blocks[i];
      if (old?.raw === token.raw) return;
      const el = this.#render(token);
      if (old) old.el.replaceWith(el);
      else this.#el.append(el);
      this.#blocks[i] = { raw: token.raw, el };
    });
    for (const { el } of this.#blocks.splice(tokens.length)) el.remove();
  }

  #render(token) {
    const el = h("div", { class: "block" });
    el.append(DOMPurify.sanitize(marked.parser([token]), ALLOWED));
    el.querySelectorAll("a").forEach((a) => this.#link(a));
    el.querySelectorAll("pre").forEach(withCopy);
    el.querySelectorAll("table").forEach(withScroll);
    return el;
  }

  #link(a) {
    const href = safeURL(a.getAttribute("href") ?? "", this.#base);
    if (!href) return a.replaceWith(...a.childNodes);
    a.href = href;
    a.target = "_blank";
    a.rel = "noopener noreferrer";
  }
}

function withScroll(table) {
  const frame = h("div", { class: "wide", tabindex: "0" }); // scrolls sideways by keyboard
  table.replaceWith(frame);
  frame.append(table);
}

function withCopy(pre) {
  const said = h("span", { class: "hidden", role: "status" });
  const copy = button(words.copy, {
    icon: "copy",
    class: "bare copy",
    onclick: () => copyText(pre.textContent, copy, said),
  });
  const frame = h("div", { class: "code" });
  pre.replaceWith(frame);
  frame.append(pre, copy, said);
  pre.tabIndex = 0;
}

async function copyText(source, copy, said) {
  const done = await toClipboard(source.replace(/\n$/, ""));
  said.textContent = copy.title = done ? words.copied : words.copyFailed;
  copy.replaceChildren(icon(done ? "check" : "warn"));
  setTimeout(() => {
    said.textContent = "";
    copy.title = words.copy;
    copy.replaceChildren(icon("copy"));
  }, 2000);
}

// Whether it was copied: without permission or a secure connection it is not.
async function toClipboard(source) {
  try {
    await navigator.clipboard.writeText(source);
    return true;
  } catch {
    return false;
  }
}
