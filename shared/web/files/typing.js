// Typing: saying that one does, and who else does for as long as it holds.

/** How often to say that somebody types on, in milliseconds: others show it for twice as long. */
const AGAIN = 3000;

/** Says that whoever writes here types, and that they have stopped. */
export class Typing {
  #say;
  #next = 0;
  #said = false;

  /** `say(typing)` tells the others. */
  constructor(say) {
    this.#say = say;
  }

  /** Takes what stands in the field after it was changed; nothing there is stopping. */
  wrote(text) {
    if (text.trim() === "") return this.stop();
    const now = performance.now();
    if (this.#said && now < this.#next) return;
    this.#said = true;
    this.#next = now + AGAIN;
    this.#say(true);
  }

  /** Takes it back, where it was said. */
  stop() {
    if (this.#said) this.#say(false);
    this.#said = false;
  }

  /** The message is sent, which takes it back by itself. */
  sent() {
    this.#said = false;
  }
}

/** Who types. `changed()` is called when that is somebody else, or nobody. */
export class Typist {
  /** The author who types, null for nobody. */
  author = null;
  #changed;
  #timer;

  constructor(changed) {
    this.#changed = changed;
  }

  /** Somebody types for another `ms` milliseconds; null is nobody. */
  heard(author, ms) {
    clearTimeout(this.#timer);
    if (author) this.#timer = setTimeout(() => this.heard(null), ms);
    if (JSON.stringify(author) === JSON.stringify(this.author)) return;
    this.author = author;
    this.#changed();
  }
}
