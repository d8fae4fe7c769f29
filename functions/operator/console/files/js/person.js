// Who somebody is, in the words that an operator reads.

import { h } from "../web/dom.js";
import { text } from "./text.js";

/** How long after its last sign a page still counts as open, in milliseconds: signs come every 2 min and are kept every 5. */
const ONLINE = 8 * 60_000;

// What turns the direction of the text around it (Unicode's bidirectional algorithm,
// section 2): a name has no need of it, and could make other words read otherwise.
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/** The longest name that is shown, in characters: 500 bytes of one would push all else out of sight. */
const LONGEST = 80;

/** A name of anybody's, to stand among other words. */
export function plainName(name) {
  const letters = [...name.replace(TURNING, "")];
  return letters.length > LONGEST ? letters.slice(0, LONGEST - 1).join("") + "…" : letters.join("");
}

/** The name of a session's owner: what is known best. */
export function personName({ name, email }, owner) {
  const id = owner.contact ?? owner.visitor ?? "";
  return plainName(name || email || "").trim() || text.visitor(id.slice(-4).toUpperCase());
}

/** Whether the visitor's page is open, as far as its widget tells. */
export function isOnline(visitor, now = Date.now()) {
  return Boolean(visitor?.lastSeenAt) && !visitor.blocked && now - Date.parse(visitor.lastSeenAt) < ONLINE;
}

/** The name of an entry's author. */
export function authorName({ kind, name }) {
  if (name) return plainName(name);
  return { user: text.visitorName, ai: text.ai, human: text.team, team: text.team, system: text.system }[kind];
}

/** Who answers a session; `operators` is a map from id to name, `me` the id of who reads this. */
export function holderWords({ holder, operator }, operators, me) {
  if (holder !== "human" || !operator) return text.holder[holder];
  if (operator === me) return text.mine;
  return operators.has(operator) ? text.holds(operators.get(operator)) : text.holder.human;
}

/** A round mark with the first letter of a name, of a colour that stays with the id. Pictures would tell their host who looks. */
export function badge(name, id) {
  let sum = 0;
  for (const c of id) sum = (sum * 31 + c.codePointAt(0)) % 6;
  return h("span", { class: `badge-mark tone-${sum}`, "aria-hidden": "true" }, ([...name][0] ?? "?").toUpperCase());
}

/** "now", "5 min", "2 h", "3 d". */
export function age(time, now = Date.now()) {
  const minutes = Math.max(0, now - Date.parse(time)) / 60_000;
  if (minutes < 1) return text.age.now;
  if (minutes < 60) return text.age.minutes(Math.floor(minutes));
  if (minutes < 24 * 60) return text.age.hours(Math.floor(minutes / 60));
  return text.age.days(Math.floor(minutes / 60 / 24));
}

/** That the visitor's page has left, and how long ago. */
export function leftWords(time, now = Date.now()) {
  const ago = age(time, now);
  return ago === text.age.now ? text.leftNow : text.left(ago);
}

/** Whose session it is, of a session's detail: the contact, or the visitor. Of a contact whom nobody vouched for, whom anybody can name, it is what this visitor says. */
export function personOf({ visitor, contact }, owner) {
  if (owner.proven) return contact ?? {};
  if (!contact || !visitor) return contact ?? visitor ?? {};
  return {
    ...contact,
    name: visitor.name || contact.name,
    email: visitor.email || contact.email,
    metadata: { ...contact.metadata, ...visitor.metadata },
  };
}

/** A session's number as people read it out: in three groups. */
export function numberWords(number) {
  return String(number).replace(/(\d{4})(?=\d)/g, "$1 ");
}
