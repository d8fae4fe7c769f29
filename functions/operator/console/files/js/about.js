// Who the visitor is, where they are, and the facts of the session.

import { button, h, icon, safeURL } from "../web/dom.js";
import { formatExact } from "../web/format.js";
import { age, badge, holderWords, isOnline, leftWords, numberWords, personName, personOf } from "./person.js";
import { text } from "./text.js";

export class About {
  #body = h("div", { class: "about-body" });
  #agents;
  #operators;
  #me;
  #drawn = "";

  /** `agents` and `operators` are maps from id to name, `me` is the id of the operator who acts; `close()` hides the panel where it covers others. */
  constructor({ agents, operators, me, close }) {
    this.#agents = agents;
    this.#operators = operators;
    this.#me = me;
    this.el = h(
      "aside",
      { class: "about", "aria-label": text.about },
      h(
        "div",
        { class: "about-head" },
        h("h2", {}, text.about),
        button(text.closeAbout, { icon: "close", class: "bare", onclick: close }),
      ),
      this.#body,
    );
  }

  update(record) {
    const { session, detail } = record;
    const state = JSON.stringify([session, detail, record.review, Math.floor(Date.now() / 60_000)]);
    if (state === this.#drawn) return; // keeps the focus on its links
    this.#drawn = state;
    if (!session || !detail) return this.#body.replaceChildren();
    this.#body.replaceChildren(
      ...this.#person(session, detail),
      ...this.#claims(session, detail),
      ...this.#pages(detail),
      ...this.#facts(session, detail, record.review),
      ...pairs(text.attributes, detail.about.attributes),
      ...pairs(text.contactMetadata, personOf(detail, session.owner).metadata),
      ...pairs(text.metadata, detail.about.metadata),
      ...browser(detail.visitor),
      ...checkpoint(detail.about.checkpoint),
    );
  }

  #person(session, { visitor, contact }) {
    const { owner } = session;
    const person = personOf({ visitor, contact }, owner);
    const name = personName(person, owner);
    const proven = owner.proven
      ? h("p", { class: "proven" }, icon("check"), text.proven)
      : h("p", { class: "quiet" }, text.unproven);
    const known = person.name || person.email || person.externalId || visitor?.name || visitor?.email;
    return [
      h("div", { class: "who" }, badge(name, owner.contact ?? owner.visitor ?? ""), h("h3", { dir: "auto" }, name)),
      isOnline(visitor) && h("p", { class: "online" }, text.online),
      (visitor?.blocked || contact?.blocked) && h("p", { class: "bad blocked" }, icon("warn"), text.blocked),
      known || owner.proven ? proven : null,
      list([
        [text.email, owner.proven ? person.email : person.email || visitor?.email],
        [text.externalId, contact?.externalId || owner.externalId || (!owner.proven && visitor?.externalId)],
        [text.language, session.language || visitor?.language],
        [text.timezone, timezoneWords(visitor?.timezone)],
        [text.lastSeen, visitor?.lastSeenAt && !isOnline(visitor) && formatExact(visitor.lastSeenAt)],
        [text.since, visitor && formatExact((contact ?? visitor).createdAt)],
      ]),
    ].filter(Boolean);
  }

  // What the browser says besides of a person for whom somebody vouched.
  #claims({ owner }, { visitor }) {
    if (!owner.proven || !visitor) return [];
    const said = list([
      [text.name, visitor.name],
      [text.email, visitor.email],
      [text.externalId, visitor.externalId],
      ...Object.entries(visitor.metadata),
    ]);
    return said ? section(text.claims, h("p", { class: "quiet" }, text.unproven), said) : [];
  }

  #pages({ about, visitor }) {
    const [here, ...before] = visitor?.pages ?? [];
    if (!here) return about.page.url || about.page.title ? section(text.page, ...pageLink(about.page)) : [];
    return [
      ...section(text.page, ...pageLink(here)),
      ...(before.length > 0
        ? section(text.pages, h("ol", { class: "pages" }, before.map((page) => h("li", {}, ...pageLink(page), h("time", { class: "quiet", dateTime: page.at }, formatExact(page.at))))))
        : []),
      ...camefrom(visitor.attribution),
    ];
  }

  #facts(session, { about, rating }, review) {
    return section(
      text.facts,
      list([
        [text.factTitle, session.title],
        [text.factNumber, numberWords(session.number)],
        [text.factSummary, review?.summary],
        [text.factOutcome, text.outcome[review?.outcome]],
        [text.factSentiment, text.sentiment[review?.sentiment]],
        [text.factTags, about.tags.join(", ")],
        [text.factRating, rating && text.ratingOf(rating.score) + (rating.feedback ? ` – “${rating.feedback}”` : "")],
        [text.factHolder, holderWords(session, this.#operators, this.#me)],
        [text.factWaiting, session.waitingSince && age(session.waitingSince)],
        [text.person, session.state === "open" && session.leftAt && leftWords(session.leftAt)],
        [text.participants, about.participants.map((id) => this.#operators.get(id) ?? id).join(", ")],
        [text.factAgent, this.#agents.get(session.agent) ?? session.agent],
        [text.factChannel, session.channel],
        [text.factMessages, String(session.messages)],
        [text.factStarted, formatExact(session.createdAt)],
        [text.factActive, formatExact(session.updatedAt)],
      ]),
    );
  }
}

// Where somebody was, as a link if it is one.
function pageLink({ url, title }) {
  const href = safeURL(url);
  const label = title || url;
  return [
    href && /^https?:/.test(href)
      ? h("p", { class: "page", dir: "auto" }, h("a", { href, target: "_blank", rel: "noopener noreferrer" }, label))
      : h("p", { class: "page", dir: "auto" }, label),
    title && url ? h("p", { class: "quiet address", dir: "ltr" }, url) : null,
  ];
}

// How the visitor came the first time: of a page's words what is known to be a text.
function camefrom(attribution) {
  const first = attribution?.firstTouch;
  const said = (value) => (typeof value === "string" ? value : "");
  const facts = list([
    [text.cameBy, said(first?.channel).replaceAll("_", " ")],
    [text.cameFrom, said(first?.referrer?.url) || said(first?.referrer?.domain)],
    [text.landing, said(first?.landing?.url) || said(first?.landing?.path)],
    [text.campaign, said(first?.utm?.campaign)],
  ]);
  return facts ? section(text.cameFirst, facts) : [];
}

function browser(visitor) {
  const { browser, browserVersion, os, osVersion, deviceType, viewport } = visitor?.device ?? {};
  const joined = (...words) => words.filter(Boolean).join(" ");
  const facts = list([
    [text.browserName, joined(browser, browserVersion)],
    [text.system, joined(os, osVersion)],
    [text.device, deviceType],
    [text.viewport, viewport],
  ]);
  return facts ? section(text.browser, facts) : [];
}

// A time zone with the time that it is there; a browser may name none that is known.
function timezoneWords(zone) {
  if (!zone) return "";
  try {
    return `${zone}, ${new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone }).format()}`;
  } catch {
    return zone;
  }
}

function section(title, ...children) {
  return [h("section", {}, h("h3", {}, title), children)];
}

// Terms and what they are; what is not known is left out.
function list(facts) {
  const known = facts.filter(([, value]) => value);
  return known.length === 0
    ? null
    : h(
        "dl",
        {},
        known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value))),
      );
}

function pairs(title, values) {
  const all = Object.entries(values ?? {});
  return all.length === 0 ? [] : section(title, list(all));
}

function checkpoint(state) {
  if (!state) return [];
  return section(text.checkpoint, h("pre", { tabindex: "0" }, JSON.stringify(state, null, 2)));
}
