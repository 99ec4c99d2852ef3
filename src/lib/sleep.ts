/**
 * Functions that may sleep. Nearly every operation of the model completes at once; the few that block in a
 * kernel (the removal of a device that is open, a lock held by such a removal) return a promise instead.
 * Writing the code after them with {@link after} keeps the common path synchronous: one turn of the event
 * loop, no other operation in between, so the kernel's short-lived locks need no counterpart.
 * @module
 */

/** A value that is there now, or later when its producer had to sleep. */
export type Sleeps<T> = T | Promise<T>;

export function asleep<T>(value: Sleeps<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** Goes on with `next` once `value` is there: at once if it already is. */
export function after<T, U>(value: Sleeps<T>, next: (value: T) => Sleeps<U>): Sleeps<U> {
  return asleep(value) ? value.then(next) : next(value);
}

/** Runs `step` for each item in turn; waits for one that sleeps before it begins the next. */
export function eachInTurn<T>(items: Iterable<T>, step: (item: T) => Sleeps<void>): Sleeps<void> {
  const rest = items[Symbol.iterator]();
  const go = (): Sleeps<void> => {
    for (let item = rest.next(); !item.done; item = rest.next()) {
      const done = step(item.value);
      if (asleep(done)) return done.then(go);
    }
  };
  return go();
}

/** Runs `cleanup` when `body` has finished, failed, or woken up and then finished or failed. */
export function andThen<T>(body: () => Sleeps<T>, cleanup: () => void): Sleeps<T> {
  let result: Sleeps<T>;
  try {
    result = body();
  } catch (error) {
    cleanup();
    throw error;
  }
  if (asleep(result)) return result.finally(cleanup);
  cleanup();
  return result;
}

/**
 * A lock that is nearly always free. {@link hold} runs its body at once when nobody sleeps with the lock held,
 * and in order of arrival otherwise. Models `struct mutex` where a holder can sleep for long.
 */
export class Mutex {
  #tail: Promise<unknown> | undefined;

  get held(): boolean {
    return this.#tail !== undefined;
  }

  hold<T>(body: () => Sleeps<T>): Sleeps<T> {
    const result = this.#tail ? this.#tail.then(body) : body();
    if (asleep(result)) {
      const tail: Promise<unknown> = result.then(
        () => this.release_(tail),
        () => this.release_(tail),
      );
      this.#tail = tail;
    }
    return result;
  }

  private release_(tail: Promise<unknown>): void {
    if (this.#tail === tail) this.#tail = undefined;
  }
}
