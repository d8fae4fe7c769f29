// The middle of the console: a session's header with what can be done, the
// transcript, and the composer.

import { button, h } from "../web/dom.js";
import { dots } from "../web/parts.js";
import { Scroll } from "../web/scroll.js";
import { Composer } from "./composer.js";
import { confirm } from "./confirm.js";
import { entryView } from "./entry.js";
import { Menu } from "./menu.js";
import { authorName, badge, holderWords, isOnline, leftWords, personName, personOf } from "./person.js";
import { text } from "./text.js";

export class SessionView {
  #desk;
  #me;
  #operators;
  #agents;
  #may; // whether the key allows to write
  #header = h("header", { class: "session-head" });
  #title = h("h2", { tabindex: "-1", dir: "auto" });
  #chips = h("p", { class: "session-chips" });
  #mark = h("span", {});
  #actions = h("div", { class: "session-actions" });
  #menu = new Menu(text.moreActions);
  #notice = h("p", { class: "notice", role: "status", hidden: true });
  #status = h("p", { class: "status" });
  #reload;
  #earlier;
  #typist = h("p", { class: "typist", hidden: true });
  #announce;
  #scroll;
  #composer;
  #blank = h("div", { class: "blank" }, h("p", {}, text.choose), h("p", { class: "quiet" }, text.chooseHint));
  #shown = null; // the record drawn
  #drawn = "";
  #wantsFocus = false;

  /** `back()` leaves the session, `showAbout()` opens the panel beside it where it is hidden, `announce(words)` is for those who listen. */
  constructor({ api, desk, me, operators, agents, store, back, showAbout, announce }) {
    this.#desk = desk;
    this.#announce = announce;
    this.#me = me;
    this.#operators = operators;
    this.#agents = agents;
    this.#may = me.key.scopes.includes("reply");
    this.#composer = new Composer({
      api,
      limits: me.limits,
      store,
      actions: { write: (kind, message) => this.#write(kind, message), typing: (typing) => desk.setTyping(typing), announce },
    });
    this.#earlier = button(text.earlier, {
      class: "small earlier",
      onclick: () => this.#scroll.keepPlace(() => desk.loadOlder()),
    });
    this.#reload = button(text.retry, { class: "small", onclick: () => desk.open(desk.record.id) });
    const context = {
      base: location.origin,
      nameOf: (author) => this.#nameOf(author),
      writeAgain: (id) => desk.writeAgain(id),
      discard: (id) => desk.discard(id),
    };
    this.#scroll = new Scroll({
      label: text.transcript,
      rowView: (row) => entryView(row, context),
      above: [this.#earlier, this.#status, this.#reload],
      below: [this.#typist],
    });
    this.#header.append(
      button(text.back, { icon: "back", class: "bare to-inbox", onclick: back }),
      this.#mark,
      h("div", { class: "title" }, this.#title, this.#chips),
      this.#actions,
      this.#menu.el,
      button(text.about, { icon: "person", class: "bare to-about", onclick: showAbout }),
    );
    this.el = h(
      "section",
      { class: "session", id: "session", "aria-label": text.session },
      this.#blank,
      this.#header,
      this.#notice,
      this.#scroll.el,
      this.#composer.el,
    );
  }

  /** Puts the focus where one writes, or where one reads, as soon as there is something. */
  focus() {
    this.#wantsFocus = this.#desk.phase === "loading";
    if (this.#wantsFocus) return this.#title.focus();
    if (this.#may && !matchMedia("(pointer: coarse)").matches) this.#composer.focus();
    else this.#title.focus();
  }

  /** Whether the newest is in sight. */
  get atEnd() {
    return this.#scroll.atEnd;
  }

  /** The plain words of a message that is shown. */
  wordsOf(key) {
    return this.#scroll.wordsOf(key);
  }

  /** Draws the session; `notice` is shown above it. */
  update(notice) {
    const { record, phase } = this.#desk;
    const none = record.id === null;
    this.#blank.hidden = !none;
    this.#header.hidden = none;
    this.#scroll.el.hidden = none;
    this.#notice.textContent = notice;
    this.#notice.hidden = notice === "" || none;
    if (this.#shown !== record) {
      this.#shown = record;
      this.#scroll.clear();
    }
    this.#earlier.hidden = !record.older;
    this.#status.hidden = phase === "ready";
    this.#status.textContent = phase === "loading" ? text.loading : text.loadFailed;
    this.#reload.hidden = phase !== "failed";
    if (!none) this.#scroll.update(this.#desk.rows(), phase === "loading");
    this.#composer.update(phase === "ready" ? record.session : null, this.#may);
    this.#drawHeader(record);
    this.#drawTypist(record);
    if (this.#wantsFocus && phase !== "loading") this.focus();
  }

  // Spoken when somebody begins, and not again before their message. What a page tells
  // that its visitor is about to send is only shown.
  #drawTypist({ id, entries }) {
    const { author } = this.#desk.typist;
    this.#typist.hidden = !author;
    if (!author) return;
    const name = this.#nameOf(author);
    const said = `${id} ${name} ${entries.at(-1)?.seq}`;
    const begins = this.#typist.dataset.said !== said;
    if (begins) this.#typist.replaceChildren(dots(name), h("span", { class: "preview" }));
    this.#typist.querySelector(".preview").textContent = author.preview ?? "";
    if (!begins) return;
    this.#typist.dataset.said = said;
    this.#announce(text.types(name));
  }

  // Who wrote, in the words of this operator; without an author it is the agent.
  #nameOf(author) {
    const { session, detail } = this.#desk.record;
    if (!author) return this.#agents.get(session?.agent) ?? text.ai;
    if (author.kind === "human" && author.id && author.id === this.#me.operator?.id) return text.you;
    if (author.kind === "user" && !author.name && detail) return this.#personOf(session, detail);
    return authorName(author);
  }

  #personOf(session, detail) {
    return personName(personOf(detail, session.owner), session.owner);
  }

  #write(kind, message) {
    this.#desk.write(kind, message);
    this.#scroll.toEnd();
  }

  #drawHeader({ session, detail }) {
    const left = session?.leftAt && session.state === "open" ? leftWords(session.leftAt) : "";
    const online = isOnline(detail?.visitor);
    const drawn = JSON.stringify([session, detail?.visitor, detail?.contact, left, online]);
    if (drawn === this.#drawn) return; // keeps the focus on its buttons
    this.#drawn = drawn;
    if (!session || !detail) {
      this.#title.textContent = text.session;
      this.#mark.replaceChildren();
      this.#chips.replaceChildren();
      this.#actions.replaceChildren();
      return this.#menu.offer([]);
    }
    const name = this.#personOf(session, detail);
    this.#title.textContent = name;
    this.#mark.replaceChildren(badge(name, session.owner.contact ?? session.owner.visitor ?? ""));
    this.#chips.replaceChildren(...this.#chipsOf(session, detail, left));
    if (this.#may) this.#drawActions(session, detail);
  }

  #chipsOf(session, { visitor, contact }, left) {
    const chip = (kind, words) => h("span", { class: `state-chip ${kind}` }, words);
    const chips = [chip(session.state, text.state[session.state])];
    if (session.state === "open") {
      chips.push(chip(session.holder, holderWords(session, this.#operators, this.#me.operator?.id)));
    }
    if (isOnline(visitor)) chips.push(chip("online", text.online));
    if (left) chips.push(chip("left", left));
    if (session.archived) chips.push(chip("archived", text.archived));
    if (visitor?.blocked || contact?.blocked) chips.push(chip("blocked", text.blocked));
    return chips;
  }

  #drawActions(session, detail) {
    const desk = this.#desk;
    const held = this.#actions.contains(document.activeElement);
    const open = session.state === "open";
    const mine = session.holder === "human" && session.operator === (this.#me.operator?.id ?? null);
    const main = [
      open && !mine && button(text.takeOver, { class: "small primary", onclick: () => desk.setHolder("human") }),
      open && session.holder !== "ai" && button(text.handBack, { class: "small", onclick: () => desk.setHolder("ai") }),
      open && button(text.resolve, { class: "small", onclick: () => desk.setState("resolved") }),
      !open && button(text.reopen, { class: "small primary", onclick: () => desk.setState("open") }),
    ].filter(Boolean);
    this.#actions.replaceChildren(...main);
    if (held) main[0].focus();
    this.#menu.offer(
      [
        open && [text.closeSession, () => desk.setState("closed")],
        session.archived
          ? [text.unarchive, () => desk.setArchived(false)]
          : [text.archive, () => desk.setArchived(true)],
        session.state !== "spam" && [text.spam, () => desk.setState("spam")],
        ...this.#blocks(session, detail),
      ].filter(Boolean),
    );
  }

  /** Whom one may block: the contact, if somebody vouched for it, for anybody can type an address; else the visitor. */
  #blocks({ owner }, { visitor, contact }) {
    const offer = (who) => [text.block[who], () => this.#block(who)];
    const undo = (who) => [text.unblock[who], () => this.#desk.setBlocked(who, false)];
    return [
      contact && (contact.blocked ? undo("contact") : owner.proven && offer("contact")),
      visitor && (visitor.blocked ? undo("visitor") : !owner.proven && offer("visitor")),
    ];
  }

  async #block(who) {
    const sure = await confirm({ ask: text.blockAsk[who], warn: text.blockWarn[who], yes: text.blockYes, no: text.blockNo });
    if (sure) this.#desk.setBlocked(who, true);
  }
}
