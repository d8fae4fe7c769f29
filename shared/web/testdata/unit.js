// Tests of the shared modules that need no page.

import { equal, run, test } from "/harness.js";
import { solve } from "/page/web/challenge.js";
import { safeURL } from "/page/web/dom.js";
import { formatAgo, formatBytes, formatDay } from "/page/web/format.js";
import { Markdown, plainText } from "/page/web/markdown.js";
import { Reply } from "/page/web/record.js";
import { sha256 } from "/page/web/sha256.js";
import { Cut, EventStream, Parser } from "/page/web/sse.js";
import { Bell, backoff } from "/page/web/wait.js";
import { words } from "/page/web/words.js";

const bytes = (s) => new TextEncoder().encode(s);
const parse = (...chunks) => {
  const parser = new Parser();
  return chunks.flatMap((c) => parser.push(typeof c === "string" ? bytes(c) : c));
};

// Event streams.

const stream = "event: text\nid: r/3\ndata: one\ndata: two\n\n: beat\n\ndata:last\n\n";
const events = [
  { event: "text", data: "one\ntwo", id: "r/3" },
  { event: "message", data: "last", id: "r/3" },
];

test("an event stream with every kind of line end", () => {
  for (const end of ["\n", "\r", "\r\n"]) equal(parse(stream.replaceAll("\n", end)), events, JSON.stringify(end));
});

test("an event stream cut between any two bytes", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const all = bytes(stream.replaceAll("\n", end).replace("one", "Grüße ✓ 🎉"));
    const want = structuredClone(events);
    want[0].data = "Grüße ✓ 🎉\ntwo";
    for (let i = 0; i <= all.length; i++) equal(parse(all.slice(0, i), all.slice(i)), want, `cut at ${i}`);
    equal(parse(...[...all].map((b) => Uint8Array.of(b))), want, "byte by byte");
  }
});

test("fields of an event stream", () => {
  equal(parse("\uFEFFdata: a\n\n"), [{ event: "message", data: "a", id: "" }], "byte order mark");
  equal(parse("data\n\n"), [{ event: "message", data: "", id: "" }], "a field without colon");
  equal(parse("data:  a\n\n")[0].data, " a", "one space goes");
  equal(parse("id: 1\nevent: x\n\ndata: a\n\n"), [{ event: "message", data: "a", id: "1" }], "no data, no event");
  equal(parse("id: a\0b\ndata: a\n\n")[0].id, "", "an id with NUL");
  equal(parse("data: never ended\n"), [], "an event that is not finished");
  const parser = new Parser();
  parser.push(bytes("retry: 5x\n\nretry: 1500\n\n"));
  equal(parser.retry, 1500, "retry");
});

function body(chunks, fail) {
  return new ReadableStream({
    async pull(c) {
      if (chunks.length) return c.enqueue(bytes(chunks.shift()));
      if (fail === "hang") return new Promise(() => {});
      return fail ? c.error(new TypeError("network error")) : c.close();
    },
  });
}

async function drain(s) {
  const seen = [];
  try {
    for await (const e of s) seen.push(e.data);
  } catch (err) {
    seen.push(err instanceof Cut ? "cut" : String(err));
  }
  return seen;
}

test("an event stream that ends, breaks, falls silent, is left", async () => {
  equal(await drain(new EventStream(body(["data: a\n\n", "data: b\n\n"]), 1000)), ["a", "b"], "end");
  equal(await drain(new EventStream(body(["data: a\n\n"], "break"), 1000)), ["a", "cut"], "break");
  equal(await drain(new EventStream(body(["data: a\n\n"], "hang"), 30)), ["a", "cut"], "silence");
  const left = new EventStream(body(["data: a\n\n"], "hang"), 10_000);
  await left.next();
  const waiting = left.next();
  left.return();
  equal((await waiting).done, true, "left while waiting");
});

test("a reply is a prefix: repetitions add nothing, gaps are noticed", () => {
  const r = new Reply("a", 1);
  const part = (delta, end) => ({ id: `a/${end}`, data: JSON.stringify({ delta }) });
  equal(r.take(part("Grü", 4)), true, "first");
  equal(r.take(part("Grü", 4)), true, "again");
  equal(r.take(part("ße", 7)), true, "second");
  equal([r.text, r.last], ["Grüße", "a/7"], "text");
  equal(r.take(part("!", 12)), false, "a gap");
  const resumed = new Reply("a", 1, "Grüße", "a/7");
  equal(resumed.take(part("!", 8)) && resumed.text, "Grüße!", "resumed");
});

// Markdown.

function rendered(source, el = document.createElement("div")) {
  new Markdown(el, "https://shop.example/help/").show(source);
  return el;
}

test("answers cannot bring markup, scripts or pictures", () => {
  const hostile = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "[a](javascript:alert(1))",
    "[a](data:text/html,x)",
    "![p](https://spy.example/p.png)",
    '<a href="#" onclick="x()" style="position:fixed">a</a>',
    "<svg><script>x</script></svg>",
    "<iframe src=//x></iframe>",
    '![a"><img src=x>](x)',
    "```<b>\n<i>x</i>\n```",
  ];
  for (const source of hostile) {
    const el = rendered(source);
    equal(el.querySelectorAll("img, script, iframe, svg:not(.icon), [style], [onclick], [onerror]").length, 0, source);
    for (const a of el.querySelectorAll("a")) equal(/^https?:/.test(a.href), true, `${source} → ${a.href}`);
  }
  equal(rendered("<b>x</b>").textContent.trim(), "<b>x</b>", "markup is shown as typed");
});

test("links open outside, relative to the site of the answers", () => {
  const a = rendered("[guide](../docs/a.md) and https://x.example/y").querySelectorAll("a");
  equal(
    [a[0].href, a[0].target, a[0].rel],
    ["https://shop.example/docs/a.md", "_blank", "noopener noreferrer"],
    "relative",
  );
  equal(a[1].href, "https://x.example/y", "bare");
  equal(rendered("![a cat](c.png)").textContent.trim(), words.picture("a cat"), "a picture is a link");
});

test("a growing answer leaves finished blocks alone and ends like a whole one", () => {
  const source =
    "# Title\n\nOne **bold** line\n\n- a\n- b\n\n```go\nx := 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd.";
  const el = document.createElement("div");
  const growing = new Markdown(el, "https://x.example/");
  let first;
  for (let i = 1; i <= source.length; i++) {
    growing.show(source.slice(0, i));
    if (i === 20) first = el.firstChild;
  }
  equal(el.firstChild === first, true, "the first block is the same element");
  equal(el.innerHTML, rendered(source).innerHTML, "in the end");
  equal(plainText(source).startsWith("Title One bold line a b"), true, plainText(source));
});

// The rest.

test("addresses that a link may have", () => {
  equal(
    ["https://a.example/", "mailto:a@b.example", "/x", "javascript:x", "data:,x", "blob:x", "http://["].map((u) =>
      safeURL(u, "https://b.example/"),
    ),
    ["https://a.example/", "mailto:a@b.example", "https://b.example/x", null, null, null, null],
  );
});

test("times and sizes", () => {
  const now = Date.parse("2026-11-20T15:00:00");
  const ago = (s) => formatAgo(new Date(now - s * 1000).toISOString(), now);
  equal(
    [ago(-5), ago(10), ago(300), ago(7200), ago(26 * 3600), ago(30 * 86400)],
    ["now", "now", "5 min. ago", "2 hr. ago", "yesterday", "Oct 21, 2026"],
  );
  equal([formatDay(now, now), formatDay(now - 86_400_000, now)], ["Today", "Yesterday"]);
  equal(
    [formatBytes(0), formatBytes(1), formatBytes(1536), formatBytes(10 << 20)],
    ["0 bytes", "1 byte", "1.5 KB", "10 MB"],
  );
});

test("sleep ends by time, bell or signal", async () => {
  const bell = new Bell();
  await bell.sleep(1);
  const rung = bell.sleep(60_000);
  bell.ring();
  await rung;
  const leave = new AbortController();
  const left = bell.sleep(60_000, leave.signal).catch(() => "left");
  leave.abort();
  equal(await left, "left");
  for (let n = 0; n < 10; n++) equal(backoff(n) >= 750 && backoff(n) <= 20_000, true, `backoff(${n})`);
});

// Challenges.

const native = async (text) =>
  [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(text)))]
    .map((b) => b.toString(16).padStart(2, "0"))
    .join("");

test("hashes are those of the browser, at every length", async () => {
  for (let n = 0; n < 200; n++) {
    const text = "é✓".slice(0, n % 3) + "x".repeat(n);
    equal(sha256(text), await native(text), `${n} letters`);
  }
});

test("a challenge is solved, at its ends too, and the page stays alive", async () => {
  const salt = "0123456789abcdef01234567?expires=1796000000&";
  const asked = { algorithm: "SHA-256", maxnumber: 20_000, salt, signature: "s" };
  for (const number of [0, 1, 12_345, 20_000]) {
    const challenge = await native(salt + number);
    let turns = 0;
    const timer = setInterval(() => turns++);
    const solved = JSON.parse(atob(await solve({ ...asked, challenge })));
    clearInterval(timer);
    equal(solved, { algorithm: "SHA-256", challenge, number, salt, signature: "s" }, String(number));
    if (number > 10_000) equal(turns > 0, true, "others had a turn");
  }
  for (const bad of [{ challenge: "none" }, { algorithm: "SHA-1", challenge: "none" }]) {
    const failed = await solve({ ...asked, maxnumber: 10, ...bad }).then(() => "", (err) => err.message);
    equal(failed !== "", true, JSON.stringify(bad));
  }
});

await run();
