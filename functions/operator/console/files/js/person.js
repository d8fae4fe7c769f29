// Who somebody is, in the words that an operator reads.

import { h } from "../web/dom.js";
import { text } from "./text.js";

/** The name of a session's owner: what is known best. */
export function personName({ name, email }, owner) {
  const id = owner.contact ?? owner.visitor ?? "";
  return name || email || text.visitor(id.slice(-4).toUpperCase());
}

/** The name of an entry's author. */
export function authorName({ kind, name }) {
  if (name) return name;
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
  if (!contact || !visitor || owner.proven) return contact ?? visitor ?? {};
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
