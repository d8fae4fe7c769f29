// A visitor of Parley in Node.js (18 or newer): gets a token, asks, prints the reply
// while it is written, resumes it when the connection is lost, rates it and leaves.
//
//   KEY=pk_test_… node docs/examples/chat.mjs 'What does it cost?'
//
// KEY is the public key that `make run` prints. PARLEY is the address of Parley,
// if it is not the one on this machine.
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";

const { KEY: key, PARLEY: parley = "http://localhost:3000" } = process.env;
const question = process.argv[2];
if (!key || !question) throw new Error("usage: KEY=pk_test_… node chat.mjs QUESTION");

class Refused extends Error {}
const headers = { "Parley-Key": key, "Content-Type": "application/json" };

async function call(url, body, more) {
  const method = body ? "POST" : "GET";
  const response = await fetch(url, { method, headers: { ...headers, ...more }, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Refused(await response.text());
  return response;
}

// Every group of calls has a base address: on AWS they differ.
const { urls, challenge } = await (await call(parley + "/config")).json();

// Where a project wants a proof of work of new visitors: the number that, behind the
// salt, has the hash that is asked for.
function solved({ maxnumber, ...asked }) {
  for (let number = 0; number <= maxnumber; number++) {
    const hash = createHash("sha256").update(asked.salt + number).digest("hex");
    if (hash === asked.challenge) return btoa(JSON.stringify({ ...asked, number }));
  }
}
const altcha = challenge ? solved(await (await call(challenge)).json()) : undefined;
const { token } = await (await call(urls.identify + "/identify", { altcha })).json();
headers.Authorization = `Bearer ${token}`;

// A message keeps its id however often it is sent, and so is stored once.
const message = { messageId: crypto.randomUUID(), content: question };
let session, run, last, status;

// Opens the reply's stream: by sending the message, or, once that was accepted,
// behind the last event that came.
const stream = () =>
  session
    ? call(`${urls.chat}/chat/${session}/runs/${run}`, undefined, { "Last-Event-ID": last })
    : call(urls.chat + "/chat", message, { Accept: "text/event-stream" });

function take(event) {
  const field = (name) => event.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1];
  if (!field("data")) return; // a sign of life
  const data = JSON.parse(field("data"));
  last = field("id") ?? last;
  if (field("event") === "accepted") [session, run] = [data.session.id, data.run];
  if (field("event") === "text") process.stdout.write(data.delta);
  if (field("event") === "end") status = data.status;
}

// Only the event `end` ends a reply. A stream that stops before it was cut.
while (!status) {
  try {
    let rest = "";
    for await (const text of (await stream()).body.pipeThrough(new TextDecoderStream())) {
      const events = (rest + text).split("\n\n");
      rest = events.pop();
      events.forEach(take);
    }
  } catch (err) {
    if (err instanceof Refused) throw err;
  }
  if (status) break;
  console.error("The connection was lost; going on.");
  await setTimeout(1000);
}
console.log(`\n[${status}]`);

const { rating } = await (await call(urls.csat + "/csat", { sessionId: session, score: 5 })).json();
console.log(`Rated ${rating.score} of 5.`);
await call(urls.close + "/close", { key, token, session });
