// The console of an operator who is signed in: inbox, session, visitor; or the
// figures. The address after # says what is shown, so that a reload, the back
// button and a second tab lead to the same.

import { button, h, icon } from "../web/dom.js";
import { startTheme } from "../web/toggle.js";
import { About } from "./about.js";
import { addressOf, parseAddress } from "./address.js";
import { Alerts } from "./alerts.js";
import { AlertSwitches } from "./alertswitches.js";
import { Desk } from "./desk.js";
import { Figures } from "./figures.js";
import { Inbox } from "./inbox.js";
import { Live } from "./live.js";
import { authorName } from "./person.js";
import { SessionView } from "./sessionview.js";
import { Settings } from "./settings.js";
import { setIcon } from "./tabicon.js";
import { text } from "./text.js";

/** How long a passing notice stays, in milliseconds. */
const NOTICE = 8000;
/** How often ages are drawn anew, in milliseconds. */
const AGES = 30_000;

export class Console {
  #api;
  #me;
  #store;
  #restart;
  #socket;
  #desk;
  #inbox;
  #session;
  #about;
  #figures;
  #alerts;
  #middle;
  #leave = new AbortController();
  #live = h("p", { class: "hidden", "aria-live": "polite" });
  #toast = h("p", { class: "toast", role: "status", hidden: true });
  #views = {}; // links by name
  #passing = "";
  #drawing = 0;
  #ages;
  #waiting = "";

  /** `me` is what the API told of the key; `signOut()` ends the console, `restart()` begins it anew for who acts now. */
  constructor({ api, me, store, signOut, restart }) {
    this.#restart = restart;
    this.#api = api;
    this.#me = me;
    this.#store = store;
    api.operator = me.key.operator ? "" : (store.get("operator") ?? "");
    const operators = new Map(me.operators.map((o) => [o.id, o.name]));
    const agents = new Map(me.agents.map((a) => [a.id, a.name]));
    const author = me.operator ? { kind: "human", ...me.operator } : { kind: "human" };
    this.#desk = new Desk(api, (this.#socket = new Live(api)), store, author);
    this.#alerts = new Alerts({
      api,
      settings: new Settings(),
      open: (id) => this.#goTo(id),
      isInSight: (id) => this.#isInSight(id),
    });
    this.#inbox = new Inbox(api, {
      open: (id) => this.#goTo(id),
      waiting: (count, page) => this.#setWaiting(count, page),
      heldBy: () => (this.#alerts.active ? me.operator?.id : undefined),
      held: (page) => this.#alerts.takeHeld(page),
      told: () => this.#socket.up,
      explain: (err) => this.#desk.explain(err),
    });
    this.#session = new SessionView({
      api,
      desk: this.#desk,
      me,
      operators,
      agents,
      store,
      back: () => this.#leaveSession(),
      showAbout: () => this.#showAbout(true),
      announce: (words) => (this.#live.textContent = words),
    });
    this.#about = new About({ agents, operators, me: me.operator?.id, close: () => this.#showAbout(false) });
    this.#figures = new Figures(api, { open: (id) => this.#goTo(id) });
    this.#middle = h("main", { class: "desk" }, this.#inbox.el, this.#session.el, this.#about.el);
    this.el = h(
      "div",
      { class: "shell" },
      h("a", { class: "skip", href: "#session", onclick: (e) => this.#skip(e) }, text.skip),
      this.#bar(signOut),
      this.#middle,
      this.#figures.el,
      this.#toast,
      this.#live,
    );
    this.#listen();
  }

  start() {
    this.#socket.start();
    this.#desk.start();
    this.#alerts.start();
    this.#inbox.start();
    this.#route();
    this.#ages = setInterval(() => this.#draw(), AGES);
  }

  leave() {
    this.#leave.abort();
    this.#socket.leave();
    this.#desk.leave();
    this.#inbox.leave();
    this.#alerts.leave();
    this.#figures.leave();
    setIcon("");
    clearInterval(this.#ages);
  }

  #bar(signOut) {
    const theme = h("button", { type: "button", class: "bare" });
    startTheme(theme);
    const link = (name, href, picture) =>
      (this.#views[name] = h("a", { href, title: text[name] }, icon(picture), h("span", {}, text[name])));
    return h(
      "header",
      { class: "bar" },
      h("img", { src: "/console/web/icon.svg", alt: "", width: "30", height: "30" }),
      h("h1", {}, this.#me.project.name, this.#me.key.test && h("span", { class: "test-key" }, text.testKey)),
      h("nav", { "aria-label": text.views }, link("inbox", "#/", "bubble"), link("figures", "#/figures", "chart")),
      this.#who(),
      new AlertSwitches(this.#alerts).el,
      theme,
      button(text.signOut, { icon: "out", class: "bare", onclick: signOut }),
    );
  }

  // Who acts: with a key of the server it can be chosen.
  #who() {
    const { key, operator, operators } = this.#me;
    if (key.operator) return h("p", { class: "acting", title: text.actsAs(operator.name) }, icon("person"), h("span", {}, operator.name));
    const choice = h(
      "select",
      { "aria-label": text.actAs, onchange: () => this.#actAs(choice.value) },
      h("option", { value: "" }, text.nobody),
      operators.map((o) => h("option", { value: o.id, selected: o.id === this.#api.operator }, o.name)),
    );
    return h("div", { class: "acting" }, icon("person"), choice);
  }

  // Everything is drawn for another person: marks, names, what is "you".
  #actAs(id) {
    this.#store.set("operator", id || undefined);
    this.#restart();
  }

  #listen() {
    const desk = this.#desk;
    desk.addEventListener("change", () => this.#draw());
    desk.addEventListener("notice", (e) => this.#pass(e.detail));
    desk.addEventListener("done", (e) => this.#pass(e.detail, true));
    desk.addEventListener("touched", () => this.#inbox.touch());
    desk.addEventListener("gone", () => this.#goTo(null));
    desk.addEventListener("entry", (e) => this.#arrived(e.detail));
    desk.addEventListener("seen", ({ detail }) => this.#inbox.saw(detail.session, detail.seen));
    this.#socket.addEventListener("change", () => this.#inbox.lookNow());
    for (const told of ["news", "inbox"]) this.#socket.addEventListener(told, ({ detail }) => this.#inbox.tell(detail.state));
    this.#socket.addEventListener("typing", ({ detail }) => this.#inbox.heard(detail.session, detail.author, detail.endsIn));
    const { signal } = this.#leave;
    addEventListener("hashchange", () => this.#route(), { signal });
    addEventListener("pageshow", (e) => e.persisted && this.#route(), { signal });
    addEventListener("keydown", (e) => this.#key(e), { signal });
  }

  #goTo(session) {
    location.hash = addressOf(session);
  }

  #route() {
    const { view, session, wrong } = parseAddress(location.hash);
    const figures = view === "figures";
    this.el.dataset.view = view;
    if (wrong) this.#pass(text.gone);
    for (const [name, link] of Object.entries(this.#views)) {
      const here = (name === "figures") === figures;
      link.ariaCurrent = here ? "page" : null;
    }
    this.#middle.hidden = figures;
    this.#figures.show(figures);
    if (figures) return;
    this.#showAbout(false);
    if (session !== this.#desk.record.id) this.#desk.open(session);
    this.#inbox.mark(session);
    this.#drawNow();
    if (session) this.#session.focus();
  }

  #leaveSession() {
    this.#goTo(null);
    requestAnimationFrame(() => this.#inbox.focus());
  }

  #key(e) {
    if (e.key !== "Escape" || this.el.dataset.view !== "session" || document.querySelector("dialog")) return;
    if (this.el.classList.contains("with-about")) return this.#showAbout(false);
    this.#inbox.focus();
  }

  #skip(e) {
    e.preventDefault();
    this.#session.focus();
  }

  #showAbout(show) {
    const had = this.el.classList.toggle("with-about", show);
    const target = had ? ".about-head .bare" : ".to-about";
    const el = this.el.querySelector(target);
    if (el.checkVisibility() && (had || this.#about.el.contains(document.activeElement))) el.focus();
  }

  // Draws once a frame at most, however much happens.
  #draw() {
    this.#drawing ||= requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    const { record, reached } = this.#desk;
    const trouble = !navigator.onLine ? text.offline : !reached ? text.trouble : "";
    this.#session.update(trouble);
    this.#about.update(record);
    if (!document.hidden && this.#session.atEnd && this.el.dataset.view === "session") this.#desk.see();
  }

  #arrived(entry) {
    if (entry.type !== "message" || entry.author.id === this.#me.operator?.id) return;
    this.#drawNow();
    const fromRun = entry.run && entry.author.kind !== "user";
    const words = this.#session.wordsOf(fromRun ? entry.run + "/reply" : entry.id);
    this.#live.textContent = `${authorName(entry.author)}: ${words}`;
  }

  #isInSight(session) {
    return document.hasFocus() && this.el.dataset.view === "session" && this.#desk.record.id === session;
  }

  #setWaiting(count, page) {
    this.#alerts.takeWaiting(page);
    setIcon(count);
    document.title = count ? text.titleWaiting(count) : text.title;
    if (count && count !== this.#waiting) this.#live.textContent = text.waitCount(count);
    this.#waiting = count;
  }

  #pass(words, good = false) {
    this.#passing = words;
    this.#toast.textContent = words;
    this.#toast.classList.toggle("bad", !good);
    this.#toast.hidden = false;
    setTimeout(() => {
      if (this.#passing === words) this.#toast.hidden = true;
    }, NOTICE);
  }
}
