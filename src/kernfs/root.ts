/**
 * The root of a kernfs tree (`struct kernfs_root`): hands out inode numbers and knows who observes the tree.
 * @module
 */

import { KernfsDir } from './dir.js';
import type { FileFaults } from './fault.js';
import type { KernfsRoot } from './node.js';
import type { KernfsObserver } from './notify.js';

class Root implements KernfsRoot {
  readonly observers = new Set<KernfsObserver>();
  faults: FileFaults | undefined = undefined;
  #lastIno = 0;

  constructor(readonly now: () => number) {}

  nextIno(): number {
    return ++this.#lastIno;
  }
}

/**
 * Makes an empty tree and returns its top directory, which has inode number 1.
 * @param now the clock: milliseconds since the epoch
 */
export function kernfsCreateRoot(now: () => number): KernfsDir {
  return new KernfsDir(new Root(now), '');
}
