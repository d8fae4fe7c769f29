// Tests of the page's modules that need no page.

import { equal, run, test } from "/harness.js";
import { Conversation } from "/page/js/conversation.js";
import { Store } from "/page/js/store.js";
import { Reply } from "/page/web/record.js";
import { mediaType } from "/page/web/upload.js";

// The store.

class FakeStorage {
  #map = new Map();
  getItem = (k) => this.#map.get(k) ?? null;
  setItem(k, v) {
    this.#map.set(k, v);
    this[k] = v;
  }
  removeItem(k) {
    this.#map.delete(k);
    delete this[k];
  }
}

test("what tabs share and what they do not", () => {
  const shared = new FakeStorage();
  const open = () =>
    new Store(
      "k",
      () => shared,
      () => new FakeStorage(),
    );
  const [a, b] = [open(), open()];
  a.token = { token: "t" };
  a.thread = "s1";
  a.draft = "half a";
  equal(b.token, { token: "t" }, "token");
  equal(b.thread, "s1", "a new tab's conversation");
  equal(b.draft, "", "draft");
  b.thread = "s2";
  equal(a.thread, "s1", "the first tab's conversation");
  a.thread = null;
  b.thread = "s3";
  equal(a.thread, null, "a blank conversation");
  equal(
    new Store(
      "other",
      () => shared,
      () => new FakeStorage(),
    ).token,
    undefined,
    "another project",
  );
});

test("the outbox keeps one item a message", () => {
  const shared = new FakeStorage();
  const [a, b] = [0, 1].map(
    () =>
      new Store(
        "k",
        () => shared,
        () => new FakeStorage(),
      ),
  );
  a.putOut({ id: "m2", at: 2 });
  b.putOut({ id: "m1", at: 1 });
  b.putOut({ id: "m2", at: 2, problem: "x" });
  equal(
    a.outbox,
    [
      { id: "m1", at: 1 },
      { id: "m2", at: 2, problem: "x" },
    ],
    "both, oldest first",
  );
  a.dropOut("m1");
  equal(
    b.outbox.map((i) => i.id),
    ["m2"],
    "after one went",
  );
});

test("storage that refuses or is full", () => {
  const refuse = () => {
    throw new DOMException("no", "SecurityError");
  };
  const store = new Store("k", refuse, refuse);
  store.putOut({ id: "m", at: 1 });
  store.thread = "s";
  equal([store.outbox.length, store.thread], [1, "s"], "in memory");
  const full = new FakeStorage();
  full.setItem = refuse;
  const other = new Store(
    "k",
    () => full,
    () => full,
  );
  other.draft = "words";
  equal(other.draft, "words", "when full");
});

// A conversation.

const at = (n) => `2026-11-20T10:00:${String(n).padStart(2, "0")}.000Z`;
const user = (seq, id) => ({ id, seq, at: at(seq), type: "message", author: { kind: "user" }, text: id, parts: [] });
const reply = (seq, of, more) => ({
  id: `e${seq}`,
  seq,
  at: at(seq),
  type: "message",
  author: { kind: "ai" },
  text: "r",
  parts: [],
  run: of,
  of,
  status: "done",
  ...more,
});
const session = (seq, more) => ({
  id: "s",
  state: "open",
  holder: "ai",
  seq,
  updatedAt: at(seq),
  run: null,
  queue: [],
  ...more,
});
const keys = (c, outbox) =>
  c
    .rows(outbox)
    .filter((r) => r.kind !== "day")
    .map((r) => r.key + (r.live ? " live" : "") + (r.state ? ` ${r.state}` : "") + (r.retry ? " retry" : ""));

test("a reply stands below its message, what waits below it", () => {
  const c = new Conversation("s");
  c.add(user(1, "a"));
  c.add(user(2, "b"));
  c.setSession(session(2, { run: { id: "a", seq: 1 }, queue: [{ id: "b", seq: 2 }] }));
  c.replies.set("a", new Reply("a", 1, "so far"));
  const out = [{ id: "c", at: 0, content: "c", files: [] }];
  equal(keys(c, out), ["a", "a/reply live", "b waiting", "c unsent"], "while writing");
  c.add(reply(3, "a"));
  c.setSession(session(3));
  equal(keys(c), ["a", "a/reply", "b"], "when written");
  equal(c.isOver("a"), true, "over");
});

test("nothing old overwrites what is new", () => {
  const c = new Conversation("s");
  c.setSession(session(5, { holder: "human" }));
  c.setSession(session(4));
  equal(c.session.holder, "human", "session");
  c.add({ ...user(1, "a"), revision: 2, erased: true });
  equal(c.add(user(1, "a")), false, "an older revision");
  equal(keys(c), ["a"], "rows");
  equal(c.rows()[1].event, "erased", "still erased");
});

test("only the newest failure of a message can be retried, once", () => {
  const c = new Conversation("s");
  c.add(user(1, "a"));
  c.add(reply(2, "a", { status: "incomplete" }));
  c.setSession(session(2));
  equal(keys(c), ["a", "a/reply retry"], "after the first");
  equal(keys(c, [{ id: "x", retry: "a", files: [] }]), ["a", "a/reply"], "while a retry is on its way");
  c.setSession(session(2, { run: { id: "x", seq: 1 }, updatedAt: at(3) }));
  equal(keys(c), ["a", "a/reply"], "while it runs");
  c.add({
    ...reply(3, "a", { run: "x", status: "failed" }),
    type: "event",
    event: "no_reply",
    author: { kind: "system" },
  });
  c.setSession(session(3, { updatedAt: at(4) }));
  equal(keys(c), ["a", "a/reply", "e3 retry"], "after the second");
  c.add(reply(4, "a", { run: "y" }));
  equal(keys(c), ["a", "a/reply", "y/reply"], "a failure that was made good is gone");
});

test("pages of a transcript", () => {
  const c = new Conversation("s");
  c.addNewest({ session: session(4), entries: [user(3, "c"), user(4, "d")], next: "p" });
  equal([c.older, c.cursor], ["p", 4], "newest");
  c.addOlder({ entries: [user(1, "a"), user(2, "b")], next: null });
  c.addNewest({ session: session(5), entries: [user(4, "d"), user(5, "e")], next: "q" });
  equal([c.older, c.cursor], [null, 5], "the newest read again does not bring back older ones");
  equal(keys(c), ["a", "b", "c", "d", "e"], "in order");
});

test("media types that browsers get wrong", () => {
  const allowed = ["text/csv", "text/markdown", "image/png"];
  const type = (name, said) => mediaType(new File(["x"], name, { type: said }), allowed);
  equal(
    [type("a.csv", "application/vnd.ms-excel"), type("A.MD", ""), type("a.png", "image/png"), type("a.exe", "")],
    ["text/csv", "text/markdown", "image/png", "application/octet-stream"],
  );
  allowed.push("application/vnd.ms-excel");
  equal([type("a.csv", "application/vnd.ms-excel"), type("a.xls", "application/vnd.ms-excel")], ["text/csv", allowed[3]]);
});

await run();
