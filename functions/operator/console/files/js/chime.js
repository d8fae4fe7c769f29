// A short, soft sound, made here: there is no file to load.

/** Two notes, as `[hertz, seconds after the beginning]`. */
const NOTES = [
  [660, 0],
  [880, 0.13],
];
/** How loud a note is at most, of 1, and how long it takes to fade, in seconds. */
const LOUDNESS = 0.09;
const FADE = 0.5;

export class Chime {
  #context = null; // an AudioContext that a gesture has let play

  /** Whether the browser lets this tab play. */
  get ready() {
    return this.#context !== null;
  }

  /** To be called within a click or a key press: before one, browsers let no page play. */
  async unlock() {
    if (this.ready || !("AudioContext" in window)) return;
    const context = new AudioContext();
    try {
      await context.resume();
      await this.#rest(context);
      this.#context ??= context;
    } catch {
      // Not yet, or there is nothing to play on; the next gesture tries again.
    }
    if (this.#context !== context) context.close();
  }

  /** Plays, if the tab may. */
  async play() {
    const context = this.#context;
    if (!context) return;
    await context.resume();
    const begin = context.currentTime + 0.02;
    const last = NOTES.map(([pitch, after]) => note(context, pitch, begin + after)).at(-1);
    last.onended = () => this.#rest(context);
  }

  /** Gives the device back. */
  leave() {
    this.#context?.close();
    this.#context = null;
  }

  // A context that runs keeps the machine's sound awake.
  async #rest(context) {
    if (context.state === "running") await context.suspend();
  }
}

function note(context, pitch, begin) {
  const tone = new OscillatorNode(context, { frequency: pitch });
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0, begin);
  gain.gain.linearRampToValueAtTime(LOUDNESS, begin + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.0001, begin + FADE);
  tone.connect(gain).connect(context.destination);
  tone.start(begin);
  tone.stop(begin + FADE);
  return tone;
}
