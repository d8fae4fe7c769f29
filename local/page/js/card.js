// What an agent did or asks for besides its words: a card for each call of an
// action, with what came of it, or with a form that the visitor fills in. All
// of it is text; nothing from a host is ever markup.

import { h, icon, say } from "../web/dom.js";
import { text } from "./text.js";

/** How many values of an answer a card shows at once; more are under "Details". */
const MAX_FACTS = 8;

/** The card of a part `action` of the message `id`. `context` has `sendForm` and `explain`. */
export function card(part, id, context) {
  const asks = part.form && !part.form.submitted;
  const state = part.error ? "failed" : asks ? "asks" : "done";
  const sign = { failed: "warn", asks: "edit", done: "check" }[state];
  const head = h("h3", {}, icon(sign), h("span", {}, part.name));
  return h("section", { class: `card ${state}` }, head, ...(asks ? [form(part, id, context)] : outcome(part)));
}

function outcome(part) {
  if (part.error) return [h("p", { class: "bad" }, text.cardFailed)];
  const answer = part.result?.body;
  const sent = part.form ? facts(part.arguments) : [];
  if (part.result === null && part.form) return [...sent, h("p", {}, text.cardUnknown)];
  return [...sent, ...(answer === undefined || answer === null ? [h("p", {}, text.cardDone)] : facts(answer))];
}

/** A value as what a person reads: pairs where it is a flat object, else its text. */
function facts(value) {
  if (typeof value !== "object" || value === null) return [h("p", {}, String(value))];
  const pairs = Object.entries(value);
  const plain = pairs.filter(([, v]) => v !== null && typeof v !== "object");
  if (!Array.isArray(value) && plain.length === pairs.length && pairs.length > 0 && pairs.length <= MAX_FACTS)
    return [h("dl", {}, ...pairs.flatMap(([k, v]) => [h("dt", {}, label(k)), h("dd", {}, String(v))]))];
  const all = h("details", {}, h("summary", {}, text.cardDetails), h("pre", {}, JSON.stringify(value, null, 2)));
  return [all];
}

/** A name of a field as words: "order_number" and "orderNumber" are "Order number". */
function label(name) {
  const spaced = name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .trim()
    .toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

function form(part, id, { sendForm, explain }) {
  const { properties = {}, required = [] } = part.form.parameters;
  const known = part.arguments ?? {};
  const fields = Object.entries(properties).map(([name, schema]) =>
    field(name, schema, known[name] ?? schema.default, required.includes(name)),
  );
  const problem = h("p", { class: "bad", role: "alert", hidden: true });
  const send = h("button", { type: "submit", class: "small primary" }, text.formSend);
  const el = h("form", {}, ...fields.map((f) => f.el), problem, send);
  el.addEventListener("submit", async (e) => {
    e.preventDefault();
    const values = {};
    for (const f of fields) {
      const value = f.value();
      if (value === WRONG) return say(problem, text.formWrong(f.label));
      if (value !== undefined) values[f.name] = value;
    }
    problem.hidden = send.disabled = true;
    send.textContent = text.formSending;
    try {
      await sendForm(id, part.id, values); // the card is drawn anew
    } catch (err) {
      say(problem, explain(err));
    } finally {
      send.disabled = false;
      send.textContent = text.formSend;
    }
  });
  return el;
}

const WRONG = Symbol("not filled in correctly");

/** One field: `el`, `name`, `label`, and `value()`, undefined if it is left empty. */
function field(name, schema, known, required) {
  const words = schema.title || label(name);
  const { input, value } = inputFor(schema, known, required);
  const shown = required || input.type === "checkbox" ? words : text.formOptional(words);
  const hint = schema.description && h("span", { class: "hint" }, schema.description);
  input.setAttribute("aria-label", shown);
  const kind = input.type === "checkbox" ? "check" : "line";
  return { name, label: words, el: h("label", { class: kind }, h("span", {}, shown), hint, input), value };
}

function inputFor(schema, known, required) {
  const type = [schema.type ?? "string"].flat().find((t) => t !== "null");
  if (schema.enum) return choice(schema.enum, known, required);
  switch (type) {
    case "boolean": {
      const input = h("input", { type: "checkbox", checked: known === true });
      return { input, value: () => input.checked };
    }
    case "number":
    case "integer": {
      const { minimum: min, maximum: max } = schema;
      const input = h("input", { type: "number", step: type === "integer" ? "1" : "any", min, max, required });
      input.value = known ?? "";
      return { input, value: () => (input.value === "" ? undefined : Number(input.value)) };
    }
    case "string":
      return words(schema, known, required);
  }
  return [schema.items?.type ?? ""].flat().includes("string") ? lines(known, required) : json(known, required);
}

function words({ minLength: minlength, maxLength: maxlength, format }, known, required) {
  const kinds = { email: "email", date: "date", uri: "url" };
  const props = { required, minlength, maxlength };
  const input =
    maxlength > 200 ? h("textarea", { rows: "3", ...props }) : h("input", { type: kinds[format] ?? "text", ...props });
  input.value = known ?? "";
  return { input, value: () => (input.value === "" && !required ? undefined : input.value) };
}

function choice(values, known, required) {
  const options = values.map((v, i) => h("option", { value: String(i), selected: v === known }, String(v)));
  const input = h("select", { required }, h("option", { value: "" }, text.formChoose), ...options);
  return { input, value: () => (input.value === "" ? undefined : values[Number(input.value)]) };
}

function lines(known, required) {
  const input = h("textarea", { rows: "3", required, placeholder: text.formLines });
  input.value = (known ?? []).join("\n");
  const value = () =>
    input.value
      .split("\n")
      .map((l) => l.trim())
      .filter(Boolean);
  return { input, value: () => (value().length || required ? value() : undefined) };
}

function json(known, required) {
  const input = h("textarea", { rows: "3", required, placeholder: text.formJSON });
  input.value = known === undefined ? "" : JSON.stringify(known);
  const value = () => {
    if (input.value.trim() === "") return undefined;
    try {
      return JSON.parse(input.value);
    } catch {
      return WRONG;
    }
  };
  return { input, value };
}
