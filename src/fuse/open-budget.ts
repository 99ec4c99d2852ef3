/**
 * How many files of a mount a user may have open, whatever processes that user has: each is kept here, and whoever opens more
 * than anybody needs would drive everybody's daemon into an end for want of memory.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';

/** Some 60 MB, when all of them were read from. */
export const MOST_OPEN = 32_768;

export class OpenBudget {
  readonly #byUser = new Map<number, number>();

  /** @throws EMFILE when the user has as many open as may be */
  assertRoom(uid: number): void {
    if ((this.#byUser.get(uid) ?? 0) >= MOST_OPEN) throw new KernelError(Errno.EMFILE);
  }

  opened(uid: number): void {
    this.#byUser.set(uid, (this.#byUser.get(uid) ?? 0) + 1);
  }

  /** Pairs with {@link opened}. */
  closed(uid: number): void {
    const count = this.#byUser.get(uid)! - 1;
    if (count > 0) this.#byUser.set(uid, count);
    else this.#byUser.delete(uid);
  }
}
