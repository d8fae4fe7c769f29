// Where an operator shows the private key.

import { Problem } from "../web/call.js";
import { button, h, say } from "../web/dom.js";
import { startTheme } from "../web/toggle.js";
import { text } from "./text.js";

export class SignIn {
  #input;
  #submit;
  #problem = h("p", { class: "bad", role: "alert", id: "key-problem" });
  #form;

  /** `signIn(key)` throws a Problem where it does not work; `busy` shows that one is under way already. */
  constructor({ problem = "", signIn, busy = false }) {
    this.#input = h("input", {
      id: "key",
      type: "password",
      required: true,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      placeholder: "sk_…",
      "aria-describedby": "key-hint key-problem",
    });
    this.#submit = h("button", { type: "submit", class: "small primary" }, text.signIn);
    this.#form = h(
      "form",
      { novalidate: true },
      h("label", { for: "key" }, text.keyLabel),
      this.#input,
      h("p", { class: "quiet", id: "key-hint" }, text.keyHint),
      this.#problem,
      this.#submit,
    );
    this.#form.addEventListener("submit", (e) => {
      e.preventDefault();
      this.#try(signIn);
    });
    const theme = h("button", { type: "button", class: "bare" });
    startTheme(theme);
    this.el = h(
      "main",
      { class: "sign-in" },
      theme,
      h("img", { src: "/console/web/icon.svg", alt: "", width: "48", height: "48" }),
      h("h1", {}, text.title),
      busy ? h("p", { class: "quiet", role: "status" }, text.signingIn) : h("p", { class: "quiet" }, text.signInLead),
      !busy && this.#form,
    );
    this.#say(problem);
  }

  focus() {
    this.#input.focus();
  }

  wordsFor(err) {
    if (!(err instanceof Problem)) throw err;
    return err.code === "scope_missing" ? text.keyScope : (text.problems[err.code] ?? err.message);
  }

  /** In place of the form: what went wrong, and another try. */
  offer(problem, again) {
    this.el.lastChild.replaceWith(
      h("p", { class: "bad", role: "alert" }, problem),
      button(text.retry, { class: "small", onclick: again }),
    );
  }

  async #try(signIn) {
    const key = this.#input.value.trim();
    if (!/^sk_(live|test)_\w+$/.test(key)) return this.#refuse(text.keyFormat);
    this.#submit.disabled = true;
    this.#submit.textContent = text.signingIn;
    try {
      await signIn(key);
    } catch (err) {
      this.#refuse(this.wordsFor(err));
    }
  }

  #refuse(words) {
    this.#submit.disabled = false;
    this.#submit.textContent = text.signIn;
    this.#say(words);
    this.#input.select();
    this.focus();
  }

  #say(words) {
    say(this.#problem, words);
    this.#input.setAttribute("aria-invalid", String(words !== ""));
  }
}
