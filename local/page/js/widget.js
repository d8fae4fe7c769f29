// The chat as a visitor meets it: a button in the corner and a panel, full
// screen on a phone. It shows what the Chat says and hands on what is done.

import { Api } from "./api.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { button, h, icon } from "../web/dom.js";
import { History } from "./history.js";
import { openMailLink } from "./link.js";
import { avatar, dots } from "../web/parts.js";
import { Rating } from "./rating.js";
import { Store } from "./store.js";
import { text } from "./text.js";
import { Transcript } from "./transcript.js";
import { words } from "../web/words.js";

const phone = matchMedia("(max-width: 640px)");
const touch = matchMedia("(pointer: coarse)"); // where the cursor brings up a keyboard
/** How long a passing notice stays, in milliseconds. */
const NOTICE = 8000;

export class Widget {
  #store;
  #api;
  #base;
  #config;
  #chat = null;
  #panel;
  #launcher;
  #header = h("header", { class: "head" });
  #notice = h("p", { class: "notice", role: "status", hidden: true });
  #body = h("div", { class: "main" });
  #live = h("p", { class: "hidden", "aria-live": "polite" });
  #typist = h("p", { class: "typist", hidden: true });
  #transcript;
  #composer;
  #history;
  #rating;
  #shown = null; // the conversation drawn
  #refusal = null; // why a mail's link opened nothing
  #passing = ""; // words of a passing notice
  #unread = 0;
  #drawing = 0;

  /** Puts the chat into `mount`. `base` is where the API's `/config` is. */
  constructor(mount, { key, base }) {
    this.#store = new Store(key);
    this.#api = new Api(key, base, this.#store);
    this.#base = base;
    this.#launcher = h(
      "button",
      { type: "button", class: "launcher", onclick: () => this.open() },
      icon("bubble"),
      h("span", { class: "badge", hidden: true }),
    );
    this.#panel = h(
      "section",
      { class: "panel", role: "dialog", tabindex: "-1", hidden: true },
      this.#header,
      this.#notice,
      this.#body,
      this.#live,
    );
    this.#panel.addEventListener("keydown", (e) => e.key === "Escape" && this.#escape());
    mount.append(this.#panel, this.#launcher);
    phone.addEventListener("change", () => this.#cover());
    this.#label();
    if (this.#store.open !== false) this.#setOpen(true);
    this.#begin();
  }

  /** Opens the chat and puts the cursor where one writes. */
  open() {
    this.#setOpen(true);
    if (touch.matches || !this.#composer) this.#panel.focus();
    else this.#composer.focus();
    this.#draw();
  }

  /** Sends a question as if the visitor had typed it. */
  ask(question) {
    this.open();
    if (!this.#chat) return;
    this.#showChat();
    this.#send(question, []);
  }

  async #begin() {
    this.#body.replaceChildren(h("p", { class: "status" }, text.loading));
    this.#drawHeader({ name: "Parley" }, "ai");
    try {
      this.#config = await this.#api.config();
    } catch (err) {
      const again = button(text.retry, { class: "small", onclick: () => this.#begin() });
      this.#body.replaceChildren(
        h("p", { class: "status", role: "alert" }, `${text.startFailed} ${this.#explain(err)}`),
        again,
      );
      return;
    }
    const link = await openMailLink(this.#api, this.#store);
    this.#build();
    this.#chat.start();
    if (!link) return;
    this.open();
    if (link.problem) this.#refuseLink(this.#explain(link.problem), link.again);
  }

  // Says why a mail's link opens nothing, and what can be done instead.
  #refuseLink(words, again) {
    const retry = again && button(text.retry, { class: "small", onclick: () => location.reload() });
    const fresh = button(text.fresh, { class: "small", onclick: () => this.#fresh() });
    this.#refusal = h("div", { class: "refusal", role: "alert" }, h("p", {}, words), h("div", {}, retry, fresh));
    this.#body.prepend(this.#refusal);
  }

  #build() {
    const { agent, greeting, limits } = this.#config;
    this.#chat = new Chat(this.#api, this.#store);
    const chat = this.#chat;
    this.#rating = new Rating(limits.feedbackBytes, {
      rate: (score, feedback) => chat.rate(score, feedback),
      load: () => this.#api.rating(chat.conversation.id).catch(() => null),
      explain: (err) => this.#explain(err),
    });
    const actions = {
      ask: (q) => this.#send(q, []),
      retry: (run) => chat.retry(run),
      sendAgain: (id) => chat.sendAgain(id),
      discard: (id) => chat.discard(id),
      vote: (message, vote) => chat.vote(message, vote),
      sendForm: (message, form, values) => chat.sendForm(message, form, values),
      explain: (err) => this.#explain(err),
      loadOlder: () => chat.loadOlder(),
      reload: () => chat.open(chat.conversation.thread),
    };
    this.#transcript = new Transcript(
      { agent, base: this.#base, greeting: greeting || text.greeting, ...actions },
      [this.#typist, this.#rating.el],
    );
    this.#history = new History(this.#api, {
      back: () => this.#showChat(),
      open: (session) => this.#openSession(session),
      erase: (session) => chat.erase(session),
      current: () => chat.conversation.id,
      announce: (words) => this.#announce(words),
      explain: (err) => this.#explain(err),
    });
    this.#composer = new Composer({
      api: this.#api,
      config: this.#config,
      store: this.#store,
      actions: {
        send: (words, files) => this.#send(words, files),
        stop: () => chat.stop(),
        typing: (typing) => chat.setTyping(typing),
        announce: (words) => this.#announce(words),
      },
    });
    this.#body.replaceChildren(this.#transcript.el, this.#composer.el, this.#history.el);
    this.#listen(chat);
    this.#takeDrops();
  }

  #listen(chat) {
    chat.addEventListener("change", () => this.#draw());
    chat.addEventListener("notice", (e) => this.#pass(e.detail));
    chat.addEventListener("message", (e) => this.#arrived(e.detail));
  }

  #send(words, files) {
    this.#refusal?.remove();
    this.#chat.send(words, files);
    this.#transcript.scroll.toEnd();
  }

  // Draws once a frame at most, however much happens.
  #draw() {
    this.#drawing ||= requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    const chat = this.#chat;
    if (!chat) return;
    const c = chat.conversation;
    if (this.#shown !== c) {
      this.#shown = c;
      this.#transcript.scroll.clear();
    }
    const outbox = c.thread ? chat.outbox.of(c.thread) : [];
    const rows = c.rows(outbox);
    this.#transcript.update(rows, {
      phase: chat.phase,
      blank: rows.length === 0 && chat.phase === "ready",
      older: Boolean(c.older),
    });
    this.#composer.update({ writing: c.writing !== null });
    this.#rating.update(this.#config.csat.enabled && c.answered && !c.writing ? c.session : null);
    this.#drawPeople(c);
    this.#drawTypist(chat.typist.author);
    this.#drawNotice();
    if (rows.some((r) => r.until)) setTimeout(() => this.#draw(), 1000); // a countdown
  }

  #drawPeople(c) {
    const holder = c.session?.holder ?? "ai";
    const human = holder === "human" ? c.human : null;
    this.#drawHeader(human ?? this.#config.agent, holder);
  }

  // Spoken when somebody begins, and not again before their message.
  #drawTypist(author) {
    const name = author && (author.name || text.someone);
    if (author && this.#typist.dataset.name !== name) {
      this.#typist.dataset.name = name;
      this.#typist.replaceChildren(avatar(author, "human"), dots(name));
      this.#announce(words.writing(name));
    }
    this.#typist.hidden = !author;
  }

  #drawHeader(author, holder) {
    const state = JSON.stringify([author, holder]);
    if (this.#header.dataset.state === state) return; // keeps the focus on its buttons
    this.#header.dataset.state = state;
    const name = author.name ?? text.someone;
    this.#panel.setAttribute("aria-label", text.dialog(name));
    const title = h("div", { class: "title" }, h("h2", {}, name), h("p", {}, text.subtitle[holder]));
    this.#header.replaceChildren(
      avatar(author, holder === "human" ? "human" : "ai"),
      title,
      button(text.fresh, { icon: "edit", class: "bare", onclick: () => this.#fresh() }),
      button(text.history, {
        icon: "history",
        class: "bare",
        "aria-expanded": "false",
        onclick: (e) => this.#toggleHistory(e.currentTarget),
      }),
      button(text.close, { icon: "close", class: "bare", onclick: () => this.#close() }),
    );
  }

  #drawNotice() {
    const { session, human } = this.#chat.conversation;
    const words = !navigator.onLine
      ? text.offline
      : !this.#chat.reached
        ? text.trouble
        : this.#passing ||
          (session?.holder === "human"
            ? text.holder.human(human?.name)
            : session?.holder === "waiting"
              ? text.holder.waiting
              : "");
    if (this.#notice.textContent !== words) this.#notice.textContent = words;
    this.#notice.hidden = words === "";
    this.#notice.classList.toggle("bad", !navigator.onLine || !this.#chat.reached || this.#passing !== "");
  }

  #pass(words) {
    this.#passing = words;
    this.#draw();
    setTimeout(() => {
      if (this.#passing === words) this.#passing = "";
      this.#draw();
    }, NOTICE);
  }

  #arrived(entry) {
    delete this.#typist.dataset.name;
    this.#drawNow();
    const name = entry.author.name ?? (entry.author.kind === "human" ? text.someone : this.#config.agent.name);
    this.#announce(`${name}: ${this.#transcript.scroll.wordsOf(entry.run ? entry.run + "/reply" : entry.id)}`);
    if (!this.#panel.hidden) return;
    this.#unread++;
    this.#label();
  }

  #announce(words) {
    this.#live.textContent = words;
  }

  #explain(err) {
    return text.problems[err.code] ?? err.message;
  }

  #fresh() {
    this.#refusal?.remove();
    this.#showChat();
    this.#chat?.open(null);
    this.#composer?.focus();
  }

  #openSession(session) {
    this.#refusal?.remove();
    this.#showChat();
    this.#chat.open(session);
    this.#composer.focus();
  }

  #toggleHistory(toggle) {
    if (!this.#history) return;
    if (!this.#history.el.hidden) return this.#showChat();
    this.#panel.classList.add("listing");
    toggle.setAttribute("aria-expanded", "true");
    this.#history.show();
  }

  #showChat() {
    if (!this.#history || this.#history.el.hidden) return;
    this.#panel.classList.remove("listing");
    this.#header.querySelector("[aria-expanded]").setAttribute("aria-expanded", "false");
    this.#history.hide();
    this.#composer.focus();
  }

  #escape() {
    if (this.#history && !this.#history.el.hidden) this.#showChat();
    else this.#close();
  }

  #close() {
    this.#setOpen(false);
    this.#launcher.focus();
  }

  #setOpen(open) {
    this.#store.open = open;
    this.#panel.hidden = !open;
    this.#launcher.hidden = open;
    if (open) this.#unread = 0;
    document.documentElement.classList.toggle("chat-open", open);
    this.#label();
    this.#cover();
  }

  // On a phone the panel covers the page: nothing beneath can be reached.
  #cover() {
    const covered = phone.matches && !this.#panel.hidden;
    for (const el of document.querySelectorAll("[data-behind-chat]")) el.inert = covered;
    this.#panel.setAttribute("aria-modal", String(covered));
  }

  #label() {
    const badge = this.#launcher.querySelector(".badge");
    badge.textContent = this.#unread > 9 ? "9+" : String(this.#unread);
    badge.hidden = this.#unread === 0;
    this.#launcher.setAttribute("aria-label", this.#unread ? text.launcherUnread(this.#unread) : text.launcher);
  }

  #takeDrops() {
    const drop = h("div", { class: "drop", hidden: true }, icon("attach"), text.drop);
    this.#panel.append(drop);
    const carriesFiles = (e) => e.dataTransfer.types.includes("Files");
    this.#panel.addEventListener("dragover", (e) => {
      if (!carriesFiles(e)) return;
      e.preventDefault();
      drop.hidden = false;
    });
    this.#panel.addEventListener("dragleave", (e) => {
      if (!this.#panel.contains(e.relatedTarget)) drop.hidden = true;
    });
    this.#panel.addEventListener("drop", (e) => {
      if (!carriesFiles(e)) return;
      e.preventDefault();
      drop.hidden = true;
      this.#composer.attach(e.dataTransfer.files);
    });
  }
}
