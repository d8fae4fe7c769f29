// What a browser keeps of a page.

/** A Storage that keeps JSON, and falls back to memory where the browser refuses. */
export class Area {
  #memory = new Map();
  #storage;
  #prefix;

  constructor(open, prefix) {
    this.#prefix = prefix;
    try {
      this.#storage = open();
    } catch {
      this.#storage = null; // blocked by the visitor's settings
    }
  }

  get(name) {
    if (this.#memory.has(name)) return this.#memory.get(name);
    try {
      const json = this.#storage?.getItem(this.#prefix + name);
      return json == null ? undefined : JSON.parse(json);
    } catch {
      return undefined; // refused by now, or not ours
    }
  }

  /** Keeps a value; undefined removes it. */
  set(name, value) {
    this.#memory.delete(name);
    if (value === undefined) return this.#storage?.removeItem(this.#prefix + name);
    try {
      if (!this.#storage) throw new Error("no storage");
      this.#storage.setItem(this.#prefix + name, JSON.stringify(value));
    } catch {
      this.#memory.set(name, value); // refused or full
    }
  }

  names(start) {
    const stored = this.#storage ? Object.keys(this.#storage) : [];
    const names = stored.filter((k) => k.startsWith(this.#prefix)).map((k) => k.slice(this.#prefix.length));
    return [...new Set([...names, ...this.#memory.keys()])].filter((n) => n.startsWith(start));
  }
}
