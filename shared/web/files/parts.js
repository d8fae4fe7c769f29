// What messages are made of, as elements.

import { fileIcon, h, icon, safeURL } from "./dom.js";
import { formatBytes, formatClock, formatExact } from "./format.js";
import { words } from "./words.js";

/** A time of day, with the whole of it as a tip. */
export function time(at) {
  return h("time", { datetime: at, title: formatExact(at) }, formatClock(at));
}

/** The picture of an author, or the initial. */
export function avatar(author, kind) {
  const src = author.picture && safeURL(author.picture);
  const inside = src ? h("img", { src, alt: "" }) : kind === "ai" ? icon("bubble") : initial(author.name);
  return h("div", { class: `avatar ${kind}`, "aria-hidden": "true" }, inside);
}

function initial(name) {
  return name ? h("span", {}, [...name][0].toUpperCase()) : icon("person");
}

/** Three dots that move: somebody is writing. */
export function dots(name) {
  const dot = () => h("i", {});
  return h("span", { class: "dots" }, h("span", {}, words.writing(name)), dot(), dot(), dot());
}

/** A file of a message, as a list item; `base` is what relative addresses are meant from. */
export function attachment(part, base) {
  const href = safeURL(part.url, base);
  const image = part.mediaType.startsWith("image/");
  const size = h("span", { class: "size" }, formatBytes(part.size));
  const label = [h("span", { class: "file-name" }, part.name), size];
  const link = h("a", { href, target: "_blank", rel: "noopener noreferrer", class: image ? "thumb" : "chip" });
  link.append(
    image ? h("img", { src: href, alt: part.name, loading: "lazy" }) : fileIcon(part.mediaType),
    ...(image ? [] : label),
  );
  return h("li", {}, link);
}

/** What an answer rests on, as a list item, or null where its address is none. */
export function source(part, base) {
  const named = [icon("file"), h("span", {}, part.title)];
  if (!part.url) return h("li", {}, ...named); // nobody can read it
  const href = safeURL(part.url, base);
  return href && h("li", {}, h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...named));
}
