// What an operator chose for this browser: it outlives the tab, and holds for all
// of the console's tabs.

const PREFIX = "parley:console:";

export class Settings {
  #memory = new Map(); // where the browser refuses

  /** Whether a switch is on; at first none is. */
  isOn(name) {
    if (this.#memory.has(name)) return this.#memory.get(name);
    try {
      return localStorage.getItem(PREFIX + name) === "on";
    } catch {
      return false; // storage is blocked
    }
  }

  turn(name, on) {
    this.#memory.delete(name);
    try {
      localStorage.setItem(PREFIX + name, on ? "on" : "off");
    } catch {
      this.#memory.set(name, on); // blocked or full
    }
  }
}
