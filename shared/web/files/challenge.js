// The challenge that a stranger may have to solve, in the form of ALTCHA: a number is
// looked for whose SHA-256 behind the salt is the one asked for.

import { sha256 } from "./sha256.js";

/** How long to try at a stretch, in milliseconds: half of a frame, so that the page stays alive. */
const STRETCH = 8;

/** Solves a challenge; the answer is the text that goes with `POST /identify` as `altcha`. */
export async function solve({ algorithm, challenge, maxnumber, salt, signature }) {
  if (algorithm !== "SHA-256") throw new Error(`a challenge with ${algorithm} cannot be solved`);
  let pause = performance.now() + STRETCH;
  for (let number = 0; number <= maxnumber; number++) {
    if (sha256(salt + number) === challenge)
      return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
    if (number % 64 === 0 && performance.now() > pause) {
      await new Promise((go) => setTimeout(go));
      pause = performance.now() + STRETCH;
    }
  }
  throw new Error("a challenge without a solution");
}
