// Waiting that can be cut short.

/** Sleepers that something may wake early: the network is back, a tab is shown. */
export class Bell {
  #sleepers = new Set();

  ring() {
    for (const wake of [...this.#sleepers]) wake();
  }

  /** Resolves after `ms` milliseconds or at the next ring; rejects when the signal aborts. */
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const over = (settle, value) => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        signal?.removeEventListener("abort", abort);
        settle(value);
      };
      const wake = () => over(resolve);
      const abort = () => over(reject, signal.reason);
      const timer = setTimeout(wake, ms);
      this.#sleepers.add(wake);
      signal?.addEventListener("abort", abort);
    });
  }
}

/** How long to wait before try number `n` (0, 1, …) again: 1 s doubling to 16 s, give or take a quarter. */
export function backoff(n) {
  return 1000 * 2 ** Math.min(n, 4) * (0.75 + Math.random() / 2);
}
