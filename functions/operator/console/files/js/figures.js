// How it goes: sessions, ratings and waiting times by day, and the latest ratings.

import { Problem } from "../web/call.js";
import { button, h, icon, say } from "../web/dom.js";
import { formatExact } from "../web/format.js";
import { barChart, tableOf } from "./chart.js";
import { text } from "./text.js";

/** The periods to choose from, in days; 90 is the longest of a whole quarter that the API gives at once. */
const PERIODS = [7, 30, 90];
const DAY = 86_400_000;

const dayFormat = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" });
const dayWords = (day) => dayFormat.format(new Date(`${day}T00:00:00Z`));

export class Figures {
  #api;
  #actions;
  #period = 30;
  #leave = new AbortController();
  #status = h("p", { class: "status", role: "status" });
  #retry;
  #body = h("div", { class: "figures-body" });
  #ratings = h("ul", { class: "ratings" });
  #more;
  #next = null;

  /** `actions.open(session)` shows a session. */
  constructor(api, actions) {
    this.#api = api;
    this.#actions = actions;
    this.#retry = button(text.retry, { class: "small", hidden: true, onclick: () => this.#load() });
    this.#more = button(text.more, { class: "small", hidden: true, onclick: () => this.#loadMore() });
    const choice = h(
      "fieldset",
      { class: "modes" },
      h("legend", { class: "hidden" }, text.range),
      PERIODS.map((n) =>
        h(
          "label",
          {},
          h("input", { type: "radio", name: "period", checked: n === this.#period, onchange: () => this.#choose(n) }),
          h("span", {}, text.days(n)),
        ),
      ),
    );
    this.el = h(
      "main",
      { class: "figures", hidden: true },
      h("div", { class: "figures-head" }, h("h2", { tabindex: "-1" }, text.figures), choice),
      this.#status,
      this.#retry,
      this.#body,
    );
  }

  /** Shows the figures as they are now, or hides them. */
  show(shown) {
    const was = !this.el.hidden;
    this.el.hidden = !shown;
    if (shown === was) return;
    this.leave();
    if (!shown) return;
    this.#load();
    this.el.querySelector("h2").focus();
  }

  leave() {
    this.#leave.abort();
  }

  #choose(days) {
    this.#period = days;
    this.#load();
  }

  async #load() {
    this.leave();
    const { signal } = (this.#leave = new AbortController());
    say(this.#status, this.#body.childElementCount === 0 ? text.loadingFigures : "");
    this.#retry.hidden = true;
    this.el.setAttribute("aria-busy", "true");
    try {
      const to = new Date().toISOString().slice(0, 10);
      const from = new Date(Date.now() - (this.#period - 1) * DAY).toISOString().slice(0, 10);
      const figures = await this.#api.figures(from, to, signal);
      say(this.#status, "");
      this.#draw(figures);
      await this.#loadRatings(true);
    } catch (err) {
      if (signal.aborted) return;
      if (!(err instanceof Problem)) throw err;
      say(this.#status, `${text.figuresFailed} ${text.problems[err.code] ?? err.message}`);
      this.#retry.hidden = false;
    } finally {
      if (!signal.aborted) this.el.removeAttribute("aria-busy");
    }
  }

  async #loadMore() {
    const { signal } = this.#leave;
    this.#more.disabled = true;
    try {
      await this.#loadRatings(false);
    } catch (err) {
      if (signal.aborted) return;
      if (!(err instanceof Problem)) throw err;
      say(this.#status, text.problems[err.code] ?? err.message);
    } finally {
      this.#more.disabled = false;
    }
  }

  async #loadRatings(anew) {
    const { ratings, next } = await this.#api.ratings(anew ? null : this.#next, this.#leave.signal);
    if (anew) this.#ratings.replaceChildren();
    this.#ratings.append(...ratings.map((r) => this.#rating(r)));
    if (this.#ratings.childElementCount === 0) this.#ratings.append(h("li", { class: "quiet" }, text.noRatings));
    this.#next = next;
    this.#more.hidden = next === null;
  }

  #rating({ session, rating }) {
    return h(
      "li",
      {},
      h("span", { class: "score", "aria-label": text.ratingOf(rating.score) }, icon("star"), String(rating.score)),
      h("p", { dir: "auto", class: rating.feedback ? "" : "quiet" }, rating.feedback || text.noFeedback),
      h("time", { datetime: rating.at, class: "quiet" }, formatExact(rating.at)),
      button(text.openSession, { class: "small", onclick: () => this.#actions.open(session) }),
    );
  }

  #draw({ total, days }) {
    const ends = [dayWords(days[0].day), dayWords(days.at(-1).day)];
    this.#body.replaceChildren(
      tiles(total),
      h(
        "div",
        { class: "charts" },
        sessionsChart(total, days, ends),
        ratingsChart(total, days, ends),
        answersChart(total, days, ends),
      ),
      h("p", { class: "quiet" }, text.utc),
      h("section", { class: "panel-box" }, h("h3", {}, text.latestRatings), this.#ratings, this.#more),
    );
  }
}

function tiles({ sessions, ratings, answers }) {
  const tile = (name, value, hint = "") =>
    h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value, hint && h("span", { class: "quiet" }, hint)));
  return h(
    "dl",
    { class: "tiles" },
    tile(text.tileSessions, String(sessions)),
    tile(text.tileRating, ratings.count ? ratings.average.toFixed(2) : text.none, text.tileRatings(ratings.count)),
    tile(text.tileAnswers, String(answers.count)),
    tile(text.tileFirst, answers.count ? duration(answers.averageSeconds) : text.none, text.tileFirstHint),
    tile(text.tileFast, answers.count ? percent(answers.within5Minutes / answers.count) : text.none),
  );
}

function box(title, hint, chart, table) {
  return h("section", { class: "panel-box" }, h("h3", {}, title), chart, hint && h("p", { class: "quiet" }, hint), table);
}

function sessionsChart(total, days, ends) {
  const most = days.reduce((a, b) => (b.figures.sessions > a.figures.sessions ? b : a));
  const summary = text.summarySessions(total.sessions, days.length, most.figures.sessions, dayWords(most.day));
  const bars = days.map(({ day, figures }) => ({
    title: text.pointSessions(dayWords(day), figures.sessions),
    parts: [figures.sessions],
  }));
  const rows = days.map(({ day, figures }) => [dayWords(day), figures.sessions]);
  return box(
    text.chartSessions,
    "",
    total.sessions
      ? barChart({ bars, summary, ends, top: String(most.figures.sessions), kinds: ["plain"] })
      : h("p", { class: "quiet" }, text.noneYet),
    tableOf(text.asTable, text.chartSessions, [text.day, text.tileSessions], [...rows, [text.sum, total.sessions]]),
  );
}

function ratingsChart(total, days, ends) {
  const average = (r) => (r.count ? r.average.toFixed(2) : text.none);
  const most = Math.max(...days.map((d) => d.figures.ratings.count));
  const bars = days.map(({ day, figures: { ratings } }) => ({
    title: text.pointRatings(dayWords(day), ratings.count, average(ratings)),
    parts: ratings.scores,
  }));
  const row = (name, r) => [name, ...r.scores, average(r)];
  const kinds = [1, 2, 3, 4, 5].map((n) => `score-${n}`);
  const legend = h(
    "ul",
    { class: "legend" },
    kinds.map((kind, i) => h("li", {}, h("i", { class: kind }), text.score(i + 1))),
  );
  const chart = total.ratings.count
    ? [barChart({ bars, summary: text.summaryRatings(total.ratings.count, average(total.ratings)), ends, top: String(most), kinds }), legend]
    : h("p", { class: "quiet" }, text.noneYet);
  return box(
    text.chartRatings,
    "",
    chart,
    tableOf(
      text.asTable,
      text.chartRatings,
      [text.day, ...[1, 2, 3, 4, 5].map(text.score), text.average],
      [...days.map(({ day, figures }) => row(dayWords(day), figures.ratings)), row(text.sum, total.ratings)],
    ),
  );
}

function answersChart(total, days, ends) {
  const time = (a) => (a.count ? duration(a.averageSeconds) : text.none);
  const longest = Math.max(...days.map((d) => d.figures.answers.averageSeconds ?? 0));
  const bars = days.map(({ day, figures: { answers } }) => ({
    title: text.pointAnswers(dayWords(day), answers.count, time(answers)),
    parts: [answers.averageSeconds ?? 0],
  }));
  const row = (name, a) => [
    name,
    a.count,
    time(a),
    a.withinMinute,
    a.within5Minutes,
    a.within15Minutes,
    a.withinHour,
  ];
  return box(
    text.chartAnswers,
    text.chartAnswersHint,
    total.answers.count
      ? barChart({
          bars,
          summary: text.summaryAnswers(total.answers.count, time(total.answers)),
          ends,
          top: duration(longest),
          kinds: ["warm"],
        })
      : h("p", { class: "quiet" }, text.noneYet),
    tableOf(
      text.asTable,
      text.chartAnswers,
      [text.day, text.answers, text.averageTime, ...text.within],
      [...days.map(({ day, figures }) => row(dayWords(day), figures.answers)), row(text.sum, total.answers)],
    ),
  );
}

function duration(seconds) {
  if (seconds < 90) return text.seconds(Math.round(seconds));
  if (seconds < 90 * 60) return text.age.minutes(Math.round(seconds / 60));
  return text.age.hours(Math.round(seconds / 360) / 10);
}

function percent(part) {
  return `${Math.round(part * 100)} %`;
}
