// SHA-256 (FIPS 180-4, section 6.2) of short texts. The browser's own answers each with a
// promise, which costs more than the hash where many are tried, and only to pages with
// HTTPS.

// The first 32 bits of the fractional parts of the roots of the first primes: square
// roots of 8 to begin with, cube roots of 64 for the rounds.
const [START, ROUNDS] = (() => {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const bits = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
  return [primes.slice(0, 8).map((p) => bits(Math.sqrt(p))), primes.map((p) => bits(Math.cbrt(p)))];
})();

const encoder = new TextEncoder();
const words = new Int32Array(64);

const turn = (x, n) => (x >>> n) | (x << (32 - n));

/** The SHA-256 of a text in UTF-8, in hex. */
export function sha256(text) {
  const bytes = encoder.encode(text);
  const block = new DataView(new ArrayBuffer(((bytes.length + 8) >> 6) * 64 + 64));
  new Uint8Array(block.buffer).set(bytes);
  block.setUint8(bytes.length, 0x80);
  block.setUint32(block.byteLength - 4, bytes.length * 8);
  const sum = Int32Array.from(START);
  for (let at = 0; at < block.byteLength; at += 64) mix(sum, block, at);
  return Array.from(sum, (w) => (w >>> 0).toString(16).padStart(8, "0")).join("");
}

// Takes one block of 64 bytes into the sum.
function mix(sum, block, at) {
  for (let i = 0; i < 16; i++) words[i] = block.getInt32(at + i * 4);
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15];
    const y = words[i - 2];
    const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
    const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
    words[i] = words[i - 16] + s0 + words[i - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = sum;
  for (let i = 0; i < 64; i++) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((w, i) => (sum[i] += w));
}
