// Making elements. Text is always text: nothing here takes markup.

/** An element with properties (`class`, `on…` handlers, attributes) and children; false and null are left out. */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat().filter((c) => c !== null && c !== false && c !== undefined));
  return el;
}

/** A button that is not a submit button. With an icon its label is spoken and shown as a tip. */
export function button(label, { icon: name, ...props }) {
  if (!name) return h("button", { type: "button", ...props }, label);
  return h("button", { type: "button", "aria-label": label, title: label, ...props }, icon(name));
}

/** Shows words in an element, which is hidden where there are none. */
export function say(el, words) {
  el.textContent = words;
  el.hidden = words === "";
}

// Drawn on a 24 × 24 grid with a 1.8 wide stroke.
const BELL = "M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 21h4M12 5V3";
const ICONS = {
  attach: ["m20.5 11.3-8.4 8.4a5 5 0 0 1-7-7l8.7-8.8a3.3 3.3 0 0 1 4.7 4.7l-8.6 8.6a1.6 1.6 0 0 1-2.4-2.3l7.9-7.9"],
  back: ["M15 5l-7 7 7 7"],
  bell: [BELL],
  bubble: [
    "M4 5.5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-8.5L7 21.5v-4H4a1 1 0 0 1-1-1v-10a1 1 0 0 1 1-1z",
    "M8 10h8M8 13.5h5",
  ],
  chart: ["M4 20h16M7 16v-5M12 16V6M17 16v-8"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  close: ["M6 6l12 12M18 6L6 18"],
  copy: ["M9 9h10v11H9z", "M15 9V4H5v11h4"],
  down: ["M12 5v14M6 13l6 6 6-6"],
  edit: ["M4 20h4l11-11-4-4L4 16z", "M13 7l4 4"],
  file: ["M6 3h8l5 5v13H6z", "M14 3v5h5"],
  good: ["M7 21V10M7 10l4.5-7a2.4 2.4 0 0 1 2.3 2.9L13 10h5.5a2 2 0 0 1 2 2.4l-1.2 6.8a2 2 0 0 1-2 1.8H7M3 21V10"],
  history: ["M4 12a8 8 0 1 0 2.6-5.9", "M4 4v4h4", "M12 8v4.5l3 2"],
  image: ["M4 5h16v14H4z", "M4 16l4.5-4.5 4 4L15 13l5 4.5", "M15.5 9.5h.01"],
  more: ["M5 12h.01M12 12h.01M19 12h.01"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"],
  muted: [BELL, "M4 4l16 16"],
  out: ["M10 5H5v14h5M14 8l4 4-4 4M18 12H9"],
  person: ["M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M4.5 20.5a7.5 7.5 0 0 1 15 0"],
  poor: ["M17 3v11M17 14l-4.5 7a2.4 2.4 0 0 1-2.3-2.9L11 14H5.5a2 2 0 0 1-2-2.4l1.2-6.8A2 2 0 0 1 6.7 3H17M21 3v11"],
  retry: ["M20 12a8 8 0 1 1-2.6-5.9", "M20 4v4h-4"],
  send: ["M12 19V5M6 11l6-6 6 6"],
  sheet: ["M5 4h14v16H5z", "M5 9.5h14M5 14.5h14M10.5 4v16"],
  star: ["M12 3.8l2.5 5.2 5.7.8-4.1 4 1 5.6-5.1-2.7-5.1 2.7 1-5.6-4.1-4 5.7-.8z"],
  stop: ["M7 7h10v10H7z"],
  sun: [
    "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z",
    "M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3L19 19M5 19l1.7-1.7M17.3 6.7L19 5",
  ],
  trash: ["M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5"],
  warn: ["M12 4L2.8 20h18.4z", "M12 10v4.5M12 17.3h.01"],
  zip: ["M6 3h12v18H6z", "M11 3v2h2v2h-2v2h2v2h-2v2h2v3h-2z"],
};

const SVG = "http://www.w3.org/2000/svg";

/** An element of SVG. */
export function svg(tag, attributes, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
  el.append(...children);
  return el;
}

/** A picture for sighted readers only. */
export function icon(name) {
  const paths = ICONS[name].map((d) => svg("path", { d }));
  return svg("svg", { viewBox: "0 0 24 24", class: `icon icon-${name}`, "aria-hidden": "true" }, ...paths);
}

/** The icon for a media type. */
export function fileIcon(type) {
  if (type.startsWith("image/")) return icon("image");
  if (/csv|sheet/.test(type)) return icon("sheet");
  return icon(type === "application/zip" ? "zip" : "file");
}

/** The address if it is one that a link may have, else null. */
export function safeURL(href, base = location.href) {
  const url = URL.parse(href, base);
  return url && /^(https?|mailto):$/.test(url.protocol) ? url.href : null;
}
