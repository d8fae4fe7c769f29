// The button in the bar that opens the switches for notifications and sound.

import { h, icon } from "../web/dom.js";
import { text } from "./text.js";

export class AlertSwitches {
  #alerts;
  #toggle = h("button", { type: "button", class: "bare", "aria-expanded": "false", onclick: () => this.#show(this.#panel.hidden) });
  #notify;
  #sound;
  #problem = h("p", { class: "bad", id: "alerts-problem", hidden: true });
  #panel;
  #shown = new AbortController(); // ends with the panel's being shown

  constructor(alerts) {
    this.#alerts = alerts;
    this.#notify = toggle(text.notify, "notify-hint alerts-problem", () => alerts.turnNotify(alerts.state !== "on"));
    this.#sound = toggle(text.sound, "sound-hint", () => alerts.turnSound(!alerts.sound));
    this.#panel = h(
      "div",
      { class: "alerts", role: "group", "aria-label": text.alerts, hidden: true },
      this.#notify,
      h("p", { class: "quiet", id: "notify-hint" }, text.notifyHint),
      this.#problem,
      this.#sound,
      h("p", { class: "quiet", id: "sound-hint" }, text.soundHint),
    );
    this.el = h("div", { class: "menu-frame" }, this.#toggle, this.#panel);
    this.el.addEventListener("keydown", (e) => this.#key(e));
    this.el.addEventListener("focusout", (e) => {
      if (e.relatedTarget && !this.el.contains(e.relatedTarget)) this.#show(false);
    });
    alerts.addEventListener("change", () => this.#draw());
    this.#draw();
  }

  #draw() {
    const { state, sound } = this.#alerts;
    const says = text.alertsAre[state === "off" && sound ? "sound" : state];
    this.#toggle.setAttribute("aria-label", says);
    this.#toggle.title = says;
    this.#toggle.replaceChildren(icon(this.#alerts.active ? "bell" : "muted"));
    this.#notify.setAttribute("aria-checked", String(state === "on"));
    this.#sound.setAttribute("aria-checked", String(sound));
    this.#problem.textContent = text.alertProblem[state] ?? "";
    this.#problem.hidden = !(state in text.alertProblem);
  }

  #show(show) {
    this.#panel.hidden = !show;
    this.#toggle.setAttribute("aria-expanded", String(show));
    this.#shown.abort();
    if (!show) return;
    const { signal } = (this.#shown = new AbortController());
    addEventListener("pointerdown", (e) => this.el.contains(e.target) || this.#show(false), { signal });
    this.#draw(); // leave may have been given or taken elsewhere
    this.#notify.focus();
  }

  #key(e) {
    if (e.key !== "Escape" || this.#panel.hidden) return;
    e.stopPropagation();
    this.#show(false);
    this.#toggle.focus();
  }
}

function toggle(label, describedBy, onclick) {
  return h(
    "button",
    { type: "button", role: "switch", class: "switch", "aria-describedby": describedBy, onclick },
    h("span", {}, label),
    h("span", { class: "track", "aria-hidden": "true" }),
  );
}
