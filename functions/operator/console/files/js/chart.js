// Small charts: one stacked bar a day. The words beside them are HTML, and the
// same numbers stand in a table for those who cannot see bars.

import { h, svg } from "../web/dom.js";

/** Of one day in the drawing's own units, which are stretched to the width there is. */
const STEP = 10;
const GAP = 3;
const HEIGHT = 100;

/**
 * A chart as an element. `bars` are `{title, parts}`: words for a tip, and the
 * heights of the parts from below; `summary` says in words what the bars show;
 * `top` is what the highest bar stands for, `ends` the words at both ends.
 */
export function barChart({ bars, summary, top, ends, kinds }) {
  const highest = Math.max(...bars.map((b) => total(b.parts)), 1e-9);
  const drawing = svg(
    "svg",
    {
      viewBox: `0 0 ${bars.length * STEP} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": summary,
      class: "bars",
    },
    ...bars.map((b, i) => bar(b, i, highest, kinds)),
  );
  return h(
    "div",
    { class: "chart" },
    h("p", { class: "axis-top", "aria-hidden": "true" }, top),
    drawing,
    h("p", { class: "axis", "aria-hidden": "true" }, h("span", {}, ends[0]), h("span", {}, ends[1])),
  );
}

function bar({ title, parts }, i, highest, kinds) {
  const group = svg("g", {}, svg("title", {}, title));
  group.append(svg("rect", { x: i * STEP, y: 0, width: STEP, height: HEIGHT, class: "ground" }));
  let y = HEIGHT;
  parts.forEach((value, k) => {
    if (!value) return;
    const height = (value / highest) * HEIGHT;
    y -= height;
    group.append(svg("rect", { x: i * STEP + GAP / 2, y, width: STEP - GAP, height, class: kinds[k] }));
  });
  return group;
}

function total(parts) {
  return parts.reduce((sum, v) => sum + v, 0);
}

/** A table that is folded away: `head` are the column names, `rows` their cells; the first cell of a row is its head. */
export function tableOf(summary, caption, head, rows) {
  return h(
    "details",
    { class: "as-table" },
    h("summary", {}, summary),
    h(
      "div",
      { class: "wide", tabindex: "0" },
      h(
        "table",
        {},
        h("caption", { class: "hidden" }, caption),
        h("thead", {}, h("tr", {}, head.map((c) => h("th", { scope: "col" }, c)))),
        h("tbody", {}, rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((c) => h("td", {}, String(c)))))),
      ),
    ),
  );
}
