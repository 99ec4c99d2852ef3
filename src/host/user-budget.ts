/**
 * How much a user may have the model keep: mappings, pinned pages, objects of iommufds. A kernel counts their memory for the
 * cgroup of who asked for it; here each counts as one, and the limit is per user, root's too, so that none of them drives
 * the daemon into an end for want of memory that all others share (docs/security.md).
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';

/**
 * Twice as many mappings as one container may have, some 60 MB. To let go of all of them at once, as the end of a process
 * does, takes less than a tenth of a second.
 */
export const MOST_OBJECTS = 131_072;

export class UserBudget {
  kept = 0;

  /**
   * @param objects how many more; a negative number gives back
   * @throws ENOMEM
   */
  charge(objects: number): void {
    if (objects > 0 && this.kept + objects > MOST_OBJECTS) throw new KernelError(Errno.ENOMEM);
    this.kept += objects;
  }
}

export class UserBudgets {
  readonly #byUser = new Map<number, UserBudget>();

  of(uid: number): UserBudget {
    const budget = this.#byUser.get(uid) ?? new UserBudget();
    this.#byUser.set(uid, budget);
    return budget;
  }
}
