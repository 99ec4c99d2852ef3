/**
 * The nodes the kernel knows. A node's number on the wire is its inode number, which is never used twice. The
 * kernel counts how often it was told about a node and drops its references with FORGET; until then it may
 * ask about the node, also when the node has left the tree.
 *
 * The kernel locks a file for the time of a write, and for open(2) with O_TRUNC, which is how a shell redirects.
 * sysfs takes no such lock: while one driver's `unbind` waits for its device, others are unbound. So a node that
 * somebody sleeps on gets a new number, for the next who look it up it is another file with another lock.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import { FUSE_ROOT_ID } from '../uapi/fuse.js';

/** Larger than any inode number, and small enough for two million of them to fit in a JavaScript number. */
const NUMBERS_APART = 2 ** 32;

interface Known {
  readonly node: KernfsNode;
  lookups: number;
}

export class NodeTable {
  readonly #known = new Map<number, Known>();
  /** The present number of a node that has left its inode number. */
  readonly #renumbered = new WeakMap<KernfsNode, number>();

  constructor(root: KernfsDir) {
    if (root.ino !== FUSE_ROOT_ID) throw new Error(`the root has inode number ${root.ino}, not 1`);
    this.#known.set(FUSE_ROOT_ID, { node: root, lookups: Number.POSITIVE_INFINITY });
  }

  /** @throws ENOENT for a node the kernel was not told about */
  get(nodeid: number): KernfsNode {
    const known = this.#known.get(nodeid);
    if (!known) throw new KernelError(Errno.ENOENT);
    return known.node;
  }

  /** Counts one more reference of the kernel. Pairs with {@link forget}. */
  tell(node: KernfsNode): number {
    const nodeid = this.#numberOf(node);
    const known = this.#known.get(nodeid);
    if (known) known.lookups++;
    else this.#known.set(nodeid, { node, lookups: 1 });
    return nodeid;
  }

  /** Gives the node a new number, if somebody fell asleep on its present one. */
  sleptOn(nodeid: number): void {
    const node = this.#known.get(nodeid)?.node;
    if (node && nodeid !== FUSE_ROOT_ID && nodeid === this.#numberOf(node))
      this.#renumbered.set(node, nodeid + NUMBERS_APART);
  }

  #numberOf(node: KernfsNode): number {
    return this.#renumbered.get(node) ?? node.ino;
  }

  forget(nodeid: number, lookups: number): void {
    const known = this.#known.get(nodeid);
    if (!known) return;
    known.lookups -= lookups;
    if (known.lookups <= 0) this.#known.delete(nodeid);
  }

  /** How many nodes the kernel knows, the root included. */
  get size(): number {
    return this.#known.size;
  }
}
