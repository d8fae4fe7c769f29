// The visitor's rating of a conversation: five stars as a group of radio
// buttons, words if they like, and the possibility to change their mind.

import { button, h, icon, say } from "../web/dom.js";
import { text } from "./text.js";

export class Rating {
  #actions;
  #maxBytes;
  #session = null;
  #score = 0; // as the server knows it
  #stars;
  #form;
  #feedback;
  #problem = h("p", { class: "bad", role: "alert", hidden: true });
  #thanks = h("p", { class: "thanks", hidden: true });

  /** `actions`: `rate(score, feedback)`, `load()` for the rating given, `explain(err)` for its words. */
  constructor(maxBytes, actions) {
    this.#actions = actions;
    this.#maxBytes = maxBytes;
    this.#stars = h("fieldset", { class: "stars" }, h("legend", {}, text.ratingAsk), text.ratingNames.map(star));
    this.#feedback = h("textarea", {
      rows: "2",
      "aria-label": text.ratingFeedback,
      placeholder: text.ratingFeedback,
      maxlength: String(maxBytes),
    });
    const buttons = h(
      "div",
      { class: "buttons" },
      h("button", { type: "submit", class: "small primary" }, text.ratingSend),
      button(text.ratingCancel, { class: "small", onclick: () => this.#reset() }),
    );
    const more = h("div", { class: "more" }, this.#feedback, this.#problem, buttons);
    this.#form = h("form", {}, this.#stars, more);
    this.el = h("section", { class: "rating", hidden: true }, this.#form, this.#thanks);
    this.#form.addEventListener("submit", (e) => this.#submit(e));
    this.#stars.addEventListener("change", () => this.#open(true));
  }

  /** Shows the rating of a session, or nothing while there is none to rate. */
  update(session) {
    this.el.hidden = !session;
    if (!session) return;
    if (session.id !== this.#session) {
      this.#session = session.id;
      this.#score = session.score ?? 0;
      this.#reset();
    } else if ((session.score ?? 0) !== this.#score) {
      this.#score = session.score;
      this.#reset();
    }
  }

  #open(open) {
    this.#form.classList.toggle("open", open);
    this.#problem.hidden = true;
  }

  #choose(score) {
    for (const input of this.#stars.querySelectorAll("input")) input.checked = Number(input.value) === score;
  }

  #reset() {
    this.#open(false);
    this.#choose(this.#score);
    this.#form.hidden = this.#score > 0;
    this.#thanks.hidden = this.#score === 0;
    if (this.#score === 0) return;
    this.#thanks.replaceChildren(
      icon("check"),
      text.ratingThanks(this.#score),
      " ",
      button(text.ratingChange, { class: "small", onclick: () => this.#change() }),
    );
  }

  async #change() {
    const rating = await this.#actions.load();
    this.#feedback.value = rating?.feedback ?? "";
    this.#choose(rating?.score ?? this.#score);
    this.#thanks.hidden = true;
    this.#form.hidden = false;
    this.#open(true);
    this.#stars.querySelector("input:checked")?.focus();
  }

  async #submit(event) {
    event.preventDefault();
    const score = Number(new FormData(this.#form).get("score"));
    const feedback = this.#feedback.value.trim();
    if (new TextEncoder().encode(feedback).length > this.#maxBytes) return say(this.#problem, text.problems.too_large);
    const button = this.#form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      await this.#actions.rate(score, feedback || undefined);
      this.#score = score;
      this.#reset();
      this.#thanks.querySelector("button").focus();
    } catch (err) {
      say(this.#problem, this.#actions.explain(err));
    } finally {
      button.disabled = false;
    }
  }
}

function star(name, i) {
  const input = h("input", { type: "radio", name: "score", value: String(i + 1), required: true });
  return h("label", { title: name }, input, icon("star"), h("span", { class: "hidden" }, `${i + 1}: ${name}`));
}
