// Tests of the console's modules that need no page.

import { addressOf, parseAddress } from "/console/js/address.js";
import { barChart, tableOf } from "/console/js/chart.js";
import { claim } from "/console/js/claims.js";
import { Desk } from "/console/js/desk.js";
import { Inbox } from "/console/js/inbox.js";
import { News, cut, messageMark, waitingMark } from "/console/js/news.js";
import { age, badge, holderWords, leftWords, personName } from "/console/js/person.js";
import { SessionRecord, isTelling } from "/console/js/sessionrecord.js";
import { Settings } from "/console/js/settings.js";
import { Store } from "/console/js/store.js";
import { iconWords, setIcon } from "/console/js/tabicon.js";
import { Reply } from "/console/web/record.js";
import { equal, run, test } from "/harness.js";

const at = (n) => `2026-11-20T10:00:${String(n).padStart(2, "0")}.000Z`;
const entry = (seq, more) => ({
  id: `e${seq}`,
  seq,
  at: at(seq),
  type: "message",
  author: { kind: "user" },
  text: `t${seq}`,
  parts: [],
  internal: false,
  ...more,
});
const session = (seq, more) => ({ id: "s", state: "open", holder: "ai", seq, updatedAt: at(seq), run: null, queue: [], ...more });
const page = (entries, more) => ({
  session: session(entries.at(-1).seq, more),
  visitor: { id: "v" },
  contact: null,
  about: {},
  rating: null,
  seen: 1,
  entries,
  next: null,
});
const kinds = (rows) => rows.filter((r) => r.kind !== "day").map((r) => `${r.key} ${r.who ?? r.event ?? r.status ?? r.kind}`);

test("the rows of a session: visitor, AI, people, notes, events", () => {
  const r = new SessionRecord("s");
  r.addNewest(
    page([
      entry(1),
      entry(2, { author: { kind: "ai" }, run: "e1", of: "e1", status: "done" }),
      entry(3, { author: { kind: "human", id: "ada" }, internal: true }),
      entry(4, { type: "event", event: "taken_over", author: { kind: "human", id: "ada" } }),
      entry(5, { author: { kind: "human", id: "ada" } }),
      entry(6, { type: "event", event: "no_reply", status: "failed", author: { kind: "system" }, run: "x", of: "e1", reason: "model" }),
      entry(7, { type: "event", event: "never_heard_of", author: { kind: "system" } }),
      entry(8, { erased: true }),
      entry(9, { type: "event", event: "reviewed", internal: true, author: { kind: "system" }, data: { summary: "s" } }),
    ]),
  );
  equal(kinds(r.rows([])), [
    "e1 visitor",
    "e1/reply ai",
    "e6 failed",
    "e3 note",
    "e4 taken_over",
    "e5 human",
    "e7 never_heard_of",
    "e8 erased",
    "e9 review",
  ]);
  equal([r.id, r.cursor, r.seen, r.detail.visitor.id, r.review.summary], ["s", 9, 1, "v", "s"], "what is known besides");
});

test("what the page greeted with stands with the first message, as nobody's", () => {
  const r = new SessionRecord("s");
  r.addNewest(page([entry(1, { greeting: ["Hello!"] }), entry(2)]));
  equal(r.rows([]).filter((row) => row.kind === "message").map((row) => [row.who, row.greeting]), [
    ["visitor", ["Hello!"]],
    ["visitor", []],
  ]);
});

test("a reply being written, and what waits to be stored", () => {
  const r = new SessionRecord("s");
  r.addNewest(page([entry(1), entry(2)], { run: { id: "e1", seq: 1 }, queue: [{ id: "e2", seq: 2 }] }));
  r.replies.set("e1", new Reply("e1", 1, "so far"));
  const out = [
    { id: "o1", kind: "note", content: "n", files: [], at: 0, author: { kind: "human" }, underWay: true },
    { id: "o2", kind: "reply", content: "r", files: [], at: 0, author: { kind: "human" }, problem: "no" },
    { id: "e2", kind: "reply", content: "r", files: [], at: 0, author: { kind: "human" } },
  ];
  const rows = r.rows(out).filter((row) => row.kind === "message");
  equal(
    rows.map((row) => [row.key, row.who, row.live ? "live" : row.state]),
    [
      ["e1", "visitor", ""],
      ["e1/reply", "ai", "live"],
      ["e2", "visitor", "waiting"],
      ["o1", "note", "sending"],
      ["o2", "human", "failed"],
    ],
    "what is stored already is not shown twice",
  );
});

test("events that say more than was said", () => {
  const event = (name) => entry(1, { type: "event", event: name });
  equal(["identified", "rated", "joined"].map((n) => isTelling(event(n))), [true, true, false]);
  equal(isTelling(entry(1)), false, "a message");
});

test("the mark of what was seen never moves back", () => {
  const r = new SessionRecord("s");
  r.addNewest({ ...page([entry(1), entry(2)]), seen: 2 });
  r.addNewest({ ...page([entry(1), entry(2)]), seen: 1 });
  equal(r.seen, 2);
});

test("who somebody is", () => {
  const owner = { visitor: "v_00ab12", contact: null };
  equal(personName({ name: "Ada", email: "a@b.example" }, owner), "Ada");
  equal(personName({ name: "", email: "a@b.example" }, owner), "a@b.example");
  equal(personName({}, owner), "Visitor AB12");
  equal(personName({}, { visitor: null, contact: null }), "Visitor ", "nobody at all");
  equal(badge("👩🏽 x", "").textContent, "👩", "a letter that takes two units");
  equal(badge("Ada", "v1").className, badge("Bo", "v1").className, "a colour stays with the id");
});

test("who answers a session", () => {
  const operators = new Map([["ada", "Ada"]]);
  const words = (holder, operator) => holderWords({ holder, operator }, operators, "me");
  equal(
    [words("ai", null), words("waiting", null), words("human", "ada"), words("human", "me"), words("human", "gone"), words("human", null)],
    ["AI answers", "Waits for a person", "Ada answers", "You answer", "A person answers", "A person answers"],
  );
});

test("ages", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  const of = (s) => age(new Date(now - s * 1000).toISOString(), now);
  equal([of(-3), of(59), of(60), of(3599), of(3600), of(86_399), of(86_400 * 9)], ["now", "now", "1 min", "59 min", "1 h", "23 h", "9 d"]);
});

test("when the visitor left the page", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  const of = (s) => leftWords(new Date(now - s * 1000).toISOString(), now);
  equal([of(5), of(180), of(7200)], ["left the page just now", "left the page 3 min ago", "left the page 2 h ago"]);
});

const waits = (id, since, more) => ({ session: { id, waitingSince: at(since), updatedAt: at(since), ...more } });
const listed = (next, ...sessions) => ({ sessions, next });
const ids = (items) => items.map((i) => i.session.id);

test("who begins to wait is news once, and again when it begins again", () => {
  const news = new News(waitingMark);
  equal(ids(news.take(listed(null, waits("b", 2), waits("a", 1)))), [], "those who wait already");
  equal(ids(news.take(listed(null, waits("d", 4), waits("c", 3), waits("b", 2)))), ["c", "d"], "new, oldest first");
  equal(ids(news.take(listed(null, waits("c", 3, { updatedAt: at(9) })))), [], "writes more while waiting");
  equal(ids(news.take(listed(null))), [], "nobody");
  equal(ids(news.take(listed(null, waits("d", 4)))), [], "was only missed by a look");
  equal(ids(news.take(listed(null, waits("c", 11)))), ["c"], "waits again");
  news.forget();
  equal(ids(news.take(listed(null, waits("e", 12)))), [], "begun anew");
  const empty = new News(waitingMark);
  empty.take(listed(null));
  equal(ids(empty.take(listed(null, waits("a", 1)))), ["a"], "the first of all");
});

test("who waited below the first page is no news when they move up", () => {
  const news = new News(waitingMark);
  news.take(listed("more", waits("b", 6), waits("a", 5)));
  equal(ids(news.take(listed("more", waits("old", 4, { updatedAt: at(8) }), waits("new", 7)))), ["new"]);
});

test("a visitor's unseen message is news, an answer is not", () => {
  const wrote = (seconds, kind, unread) => ({ session: { id: "s", updatedAt: at(seconds), last: { kind, at: at(seconds) } }, unread });
  const news = new News(messageMark);
  const take = (...args) => ids(news.take(listed(null, wrote(...args))));
  equal(take(1, "user", true), [], "unseen before");
  equal(take(2, "human", true), [], "a colleague");
  equal(take(3, "user", false), [], "seen already");
  equal([take(4, "user", true), take(4, "user", true)], [["s"], []], "news once");
  news.take(listed(null, { session: { id: "t", updatedAt: at(5), last: null }, unread: false })); // nothing said
});

test("words of a notification are one short line", () => {
  equal(cut("  a\n\tb  "), "a b");
  equal([...cut("👩🏽‍🚀".repeat(200))].length <= 140, true, "no longer than allowed");
  equal([cut("x".repeat(140)).length, cut("x".repeat(141)).slice(-2)], [140, "x…"]);
  equal(cut("👩".repeat(141)), "👩".repeat(139) + "…", "no half of a pair");
});

test("one of several claims", async () => {
  localStorage.removeItem("parley:console:claims");
  const now = Date.now();
  const all = await Promise.all(Array.from({ length: 5 }, () => claim("show s", now)));
  equal(all.filter(Boolean).length, 1, "at the same time");
  equal(await claim("sound s", now), true, "something else");
  equal([await claim("show s", now + 86_399_000), await claim("show s", now + 86_400_000)], [false, true], "for a day");
  for (let i = 0; i < 250; i++) await claim(`n${i}`, now + 86_400_000);
  equal(JSON.parse(localStorage.getItem("parley:console:claims")).length, 200, "bounded");
  localStorage.setItem("parley:console:claims", "{what");
  equal(await claim("show s", now), true, "what is no list is none");
  localStorage.removeItem("parley:console:claims");
});

test("switches are off at first and shared by the tabs", () => {
  const [a, b] = [new Settings(), new Settings()];
  equal(a.isOn("sound"), false);
  a.turn("sound", true);
  equal(b.isOn("sound"), true);
  b.turn("sound", false);
  equal(a.isOn("sound"), false);
  localStorage.removeItem("parley:console:sound");
});

test("addresses: a session's leads to it, and nothing hostile leads anywhere", () => {
  const shown = (hash) => {
    const { view, session, wrong } = parseAddress(hash);
    return [view, session, wrong];
  };
  equal(shown(""), ["inbox", null, false]);
  equal(shown("#/"), ["inbox", null, false]);
  equal(shown("#/figures"), ["figures", null, false]);
  for (const id of ["s0Ab", "a/b?c#d", "100%", "ä 👩"]) equal(shown(addressOf(id)), ["session", id, false], id);
  equal(addressOf(null), "#/");
  for (const bad of ["", "%", "%zz", "..", ".", "%2e%2e", "%2E", "a/../b", "x".repeat(129), "%C3%A4".repeat(65)]) {
    equal(shown(`#/session/${bad}`), ["inbox", null, true], bad);
  }
});

test("the icon has the number of those who wait", async () => {
  const own = Object.assign(document.createElement("link"), { rel: "icon", href: "/console/web/icon.svg" });
  document.head.append(own);
  const counts = () => [...document.querySelectorAll("link[rel=icon]")].map((l) => l.dataset.count ?? "");
  equal(["", "1", "12", "30+"].map(iconWords), ["", "1", "12", "30"]);
  await setIcon("3");
  equal(counts(), ["", "3"], "after the plain one");
  const picture = new Image();
  picture.src = document.querySelector("link[data-count]").href;
  await picture.decode();
  equal([picture.width, picture.height], [32, 32]);
  await Promise.all([setIcon("4"), setIcon("5")]);
  equal(counts(), ["", "5"], "the last of two at once");
  await Promise.all([setIcon("6"), setIcon("")]);
  equal(counts(), [""], "nobody waits");
  own.remove();
});

test("a chart: heights in proportion, words for those who do not see it", () => {
  const el = barChart({
    bars: [
      { title: "Mon: 2", parts: [1, 1] },
      { title: "Tue: 4", parts: [4, 0] },
      { title: "Wed: 0", parts: [0, 0] },
    ],
    summary: "6 in 3 days",
    top: "4",
    ends: ["Mon", "Wed"],
    kinds: ["a", "b"],
  });
  const rects = [...el.querySelectorAll("rect:not(.ground)")].map((r) => ["class", "y", "height"].map((n) => r.getAttribute(n)));
  equal(rects, [
    ["a", "75", "25"],
    ["b", "50", "25"],
    ["a", "0", "100"],
  ]);
  equal([...el.querySelectorAll("title")].map((t) => t.textContent), ["Mon: 2", "Tue: 4", "Wed: 0"], "tips");
  equal([el.querySelector("svg").getAttribute("role"), el.querySelector("svg").getAttribute("aria-label")], ["img", "6 in 3 days"]);
  const none = barChart({ bars: [{ title: "", parts: [0] }], summary: "", top: "", ends: ["", ""], kinds: ["a"] });
  equal(none.querySelectorAll("rect:not(.ground)").length, 0, "nothing has no bar");
});

test("a table has heads for columns and rows", () => {
  const el = tableOf("As a table", "Sessions", ["Day", "n"], [["Mon", 1]]);
  equal([...el.querySelectorAll("th")].map((c) => c.scope), ["col", "col", "row"]);
  equal(el.querySelector("caption").textContent, "Sessions");
});

test("what the tab keeps, and forgets at signing out", () => {
  sessionStorage.setItem("other", "stays");
  const [a, b] = [new Store(), new Store()];
  a.set("key", "sk_test_1");
  a.setDraft("s", { mode: "note", reply: "", note: "half" });
  a.outbox = [{ id: "m" }];
  equal([b.get("key"), b.draft("s").note, b.outbox.length], ["sk_test_1", "half", 1], "after a reload");
  a.setDraft("s", { mode: "note", reply: "", note: "" });
  equal(b.draft("s"), {}, "an empty draft");
  a.clear();
  equal([b.get("key"), b.outbox, sessionStorage.getItem("other")], [undefined, [], "stays"], "signed out");
  equal(localStorage.length, 0, "nothing outlives the tab");
});

// Passes an hour for what do begins, and returns what it returned.
async function anHour(doing) {
  const [set, clear] = [window.setTimeout, window.clearTimeout];
  const due = new Map();
  let [now, id] = [0, 0];
  window.setTimeout = (call, ms = 0) => (due.set(++id, { call, at: now + ms }), id);
  window.clearTimeout = (gone) => due.delete(gone);
  const settle = async () => {
    for (let i = 0; i < 100; i++) await null;
  };
  try {
    const end = doing();
    for (await settle(); ; await settle()) {
      const [next, { call, at }] = [...due].reduce((a, b) => (b[1].at < a[1].at ? b : a));
      if (at > 3600_000) return end();
      now = at;
      due.delete(next);
      call();
    }
  } finally {
    [window.setTimeout, window.clearTimeout] = [set, clear];
  }
}

const told = (up) => Object.assign(new EventTarget(), { up, watch() {}, say: () => up });

// Opens a session that a person has, beside the list that it is in, and counts calls.
function openConsole(up) {
  const asked = { inbox: 0, updates: 0, transcript: 0 };
  const state = session(1, { holder: "human" });
  const api = {
    inbox: async () => (asked.inbox++, { sessions: [], next: null }),
    transcript: async () => (asked.transcript++, page([entry(1)], { holder: "human" })),
    updates: async () => {
      asked.updates++;
      return {
        retry: 1500, // where people have the session
        async *[Symbol.asyncIterator]() {
          yield { event: "state", data: JSON.stringify(state), id: "1" };
        },
      };
    },
  };
  const inbox = new Inbox(api, { waiting() {}, heldBy: () => undefined, told: () => up });
  inbox.show("human");
  inbox.start();
  const desk = new Desk(api, told(up), { outbox: [] }, { kind: "human" });
  desk.open("s");
  return () => {
    inbox.leave();
    desk.leave();
    return asked;
  };
}

test("what an open console asks in an hour: with its socket less than a quarter", async () => {
  equal(await anHour(() => openConsole(false)), { inbox: 2 * 901, updates: 2401, transcript: 1 }, "without");
  equal(await anHour(() => openConsole(true)), { inbox: 2 * 61, updates: 61, transcript: 1 }, "with it");
});

test("lists chosen one after another while the first is read", async () => {
  const reads = [];
  const shown = [];
  const api = {
    inbox: (list, cursor, signal) =>
      new Promise((resolve, reject) => {
        reads.push({ list, resolve });
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  const inbox = new Inbox(api, { waiting: (count) => shown.push(count), heldBy: () => undefined, told: () => true });
  const running = inbox.start();
  inbox.show("ai");
  inbox.show("human");
  for (let i = 0; i < 100; i++) await null;
  equal(reads.map(({ list }) => list.holder), ["waiting", "human"]);
  reads[1].resolve({ sessions: [], next: null });
  for (let i = 0; i < 100; i++) await null;
  equal(inbox.el.querySelector(".status[role=status]:not([hidden])").textContent, "No session is with a person.");
  inbox.leave();
  await running;
});

await run();
