/**
 * Memory that the main thread and the notifier's share: how many posts were made, and how many are done. The
 * notifier sleeps on the first number, without an event loop.
 * @module
 */

const POSTED = 0;
const DONE = 1;

export class NotifierClock {
  readonly #numbers: Int32Array;

  constructor(readonly memory = new SharedArrayBuffer(8)) {
    this.#numbers = new Int32Array(memory);
  }

  posted(): void {
    Atomics.add(this.#numbers, POSTED, 1);
    Atomics.notify(this.#numbers, POSTED);
  }

  done(): void {
    Atomics.add(this.#numbers, DONE, 1);
  }

  get idle(): boolean {
    return Atomics.load(this.#numbers, POSTED) === Atomics.load(this.#numbers, DONE);
  }

  /** Sleeps until there is more to do than is done. */
  wait(): void {
    const done = Atomics.load(this.#numbers, DONE);
    Atomics.wait(this.#numbers, POSTED, done);
  }
}
