// Tells an operator who looks elsewhere that somebody waits: notifications of the
// system, and a sound.

import { Problem } from "../web/call.js";
import { claim } from "./claims.js";
import { Chime } from "./chime.js";
import { News, cut, messageMark, waitingMark } from "./news.js";
import { personName } from "./person.js";
import { text } from "./text.js";

/** The switches, as the settings call them. */
const NOTIFY = "notify";
const SOUND = "sound";

/** Event `change`: what a switch should show did. */
export class Alerts extends EventTarget {
  #api;
  #settings;
  #open;
  #isInSight;
  #chime = new Chime();
  #begun = new News(waitingMark);
  #messages = new News(messageMark);
  #shown = new Map(); // by session: {notification, waits}
  #fails = false; // whether this browser refused to show one
  #dismissed = false;
  #leave = new AbortController();

  /** `open(session)` shows a session, `isInSight(session)` is whether it is being looked at. */
  constructor({ api, settings, open, isInSight }) {
    super();
    this.#api = api;
    this.#settings = settings;
    this.#open = open;
    this.#isInSight = isInSight;
  }

  start() {
    const { signal } = this.#leave;
    for (const gesture of ["click", "keydown"]) {
      addEventListener(gesture, () => this.sound && this.#chime.unlock(), { signal, capture: true });
    }
    document.addEventListener("visibilitychange", () => this.#messages.forget(), { signal });
    addEventListener("storage", () => this.#changed(), { signal }); // another tab has turned a switch
    this.#watchPermission(signal);
  }

  leave() {
    this.#leave.abort();
    this.#chime.leave();
    for (const { notification } of this.#shown.values()) notification.close();
  }

  /** Whether notifications are shown: "on", "off", or why not: "unsupported", "insecure", "denied", "dismissed". */
  get state() {
    if (!isSecureContext) return "insecure";
    if (!("Notification" in window) || this.#fails) return "unsupported";
    if (Notification.permission === "denied") return "denied";
    if (Notification.permission === "granted") return this.#settings.isOn(NOTIFY) ? "on" : "off";
    return this.#dismissed ? "dismissed" : "off";
  }

  get sound() {
    return this.#settings.isOn(SOUND);
  }

  /** Whether anything is to be told at all. */
  get active() {
    return this.sound || this.state === "on";
  }

  /** Turns notifications on or off. To be called within a click: the browser may ask. */
  async turnNotify(on) {
    if (on && !canConstruct()) this.#fails = true;
    if (on && this.state !== "unsupported" && this.state !== "insecure") {
      this.#dismissed = (await Notification.requestPermission()) === "default";
    }
    this.#settings.turn(NOTIFY, on);
    this.#changed();
  }

  /** Turns the sound on or off; turned on it is heard at once. */
  async turnSound(on) {
    this.#settings.turn(SOUND, on);
    this.#changed();
    if (!on) return;
    await this.#chime.unlock();
    await this.#chime.play();
  }

  /** Takes a first page of those who wait. */
  takeWaiting(page) {
    for (const item of this.#begun.take(page)) this.#tell(item, true, waitingMark(item));
    if (page.next === null) this.#withdraw(page.sessions);
  }

  /** Takes a first page of the sessions that the operator has, while the tab is in the background. */
  takeHeld(page) {
    for (const item of this.#messages.take(page)) this.#tell(item, false, messageMark(item));
  }

  // Each tab that may play claims the sound for itself: the one that shows the
  // notification may be one that nobody has touched since it was loaded.
  async #tell(item, waits, mark) {
    const { id } = item.session;
    if (this.#isInSight(id)) return;
    if (this.state === "on" && (await claim(`show ${id} ${mark}`))) await this.#show(item, waits);
    if (this.sound && this.#chime.ready && (await claim(`sound ${id} ${mark}`))) await this.#chime.play();
  }

  async #show({ session, person }, waits) {
    const body = cut(await this.#asked(session));
    if (this.#leave.signal.aborted) return;
    const name = cut(personName(person, session.owner));
    const title = waits ? text.alertWaits(name) : text.alertWrote(name);
    let notification;
    try {
      // Whatever sound there is is the console's own, which has a switch.
      notification = new Notification(title, { body, tag: session.id, renotify: true, silent: true, dir: "auto" });
    } catch {
      this.#fails = true; // browsers of phones leave it to service workers
      return this.#changed();
    }
    this.#shown.set(session.id, { notification, waits });
    notification.onclick = () => {
      window.focus();
      notification.close();
      this.#open(session.id);
    };
  }

  // What the visitor wrote last: what the list tells may be the AI's answer to it.
  async #asked({ id, last }) {
    if (last?.kind === "user") return last.text || text.attachmentOnly;
    try {
      const { entries } = await this.#api.transcript(id);
      return entries.findLast((e) => e.type === "message" && e.author.kind === "user")?.text ?? "";
    } catch (err) {
      if (!(err instanceof Problem)) throw err;
      return ""; // that somebody waits is told all the same
    }
  }

  // Who does not wait any more need not be called for.
  #withdraw(waiting) {
    const still = new Set(waiting.map(({ session }) => session.id));
    for (const [id, { notification, waits }] of this.#shown) {
      if (!waits || still.has(id)) continue;
      notification.close();
      this.#shown.delete(id);
    }
  }

  // The browser's own settings can change while the console is open.
  async #watchPermission(signal) {
    try {
      const status = await navigator.permissions.query({ name: "notifications" });
      status.addEventListener("change", () => this.#changed(), { signal });
    } catch {
      // Some browsers tell only who asks.
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

// Chromium on phones has the constructor and lets no page call it. Without leave
// it shows nothing, so that it can be tried.
function canConstruct() {
  if (!("Notification" in window) || Notification.permission === "granted") return true;
  try {
    new Notification("").close();
    return true;
  } catch {
    return false;
  }
}
