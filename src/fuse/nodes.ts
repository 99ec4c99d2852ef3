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

const MOST_APART = 2 ** 20;

interface Known {
  readonly node: KernfsNode;
  lookups: number;
  /** Whether entries of the directory were given out that nobody has taken back. */
  listed: boolean;
}

export class NodeTable {
  readonly #known = new Map<number, Known>();
  /** The present number of a node that has left its inode number. */
  readonly #renumbered = new WeakMap<KernfsNode, number>();
  /** Where {@link tellApart} goes on. */
  #lastApart = 0;

  constructor(root: KernfsDir) {
    // A directory that is a root here alone.
    if (root.ino !== FUSE_ROOT_ID) this.#renumbered.set(root, FUSE_ROOT_ID);
    this.#known.set(FUSE_ROOT_ID, { node: root, lookups: Number.POSITIVE_INFINITY, listed: false });
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
    else this.#known.set(nodeid, { node, lookups: 1, listed: false });
    return nodeid;
  }

  /**
   * The same, under a number that nothing else has: whoever finds the node finds a file of his own.
   * @returns the number
   */
  tellApart(node: KernfsNode): number {
    let nodeid: number;
    do {
      this.#lastApart = this.#lastApart === MOST_APART ? 1 : this.#lastApart + 1;
      nodeid = node.ino + this.#lastApart * NUMBERS_APART;
    } while (this.#known.has(nodeid));
    this.#known.set(nodeid, { node, lookups: 1, listed: false });
    return nodeid;
  }

  /** Whether the kernel has a reference to the node. */
  knows(node: KernfsNode): boolean {
    return this.#known.has(node.ino) || (this.#renumbered.has(node) && this.numbersOf(node).length > 0);
  }

  /** The numbers by which the kernel knows the node. */
  numbersOf(node: KernfsNode): number[] {
    const numbers: number[] = [];
    for (let nodeid = node.ino; nodeid <= this.#numberOf(node); nodeid += NUMBERS_APART)
      if (this.#known.has(nodeid)) numbers.push(nodeid);
    return numbers;
  }

  /**
   * Gives the node a new number, if somebody fell asleep on its present one.
   * @returns the node, when it has a new number
   */
  sleptOn(nodeid: number): KernfsNode | undefined {
    const node = this.#known.get(nodeid)?.node;
    if (!node || nodeid === FUSE_ROOT_ID || nodeid !== this.#numberOf(node)) return undefined;
    this.#renumbered.set(node, nodeid + NUMBERS_APART);
    return node;
  }

  /** Remembers that entries of a directory were given out. */
  list(nodeid: number): void {
    const known = this.#known.get(nodeid);
    if (known) known.listed = true;
  }

  /** @returns whether entries of a directory were given out since this was asked last */
  takeListed(nodeid: number): boolean {
    const known = this.#known.get(nodeid);
    if (!known?.listed) return false;
    known.listed = false;
    return true;
  }

  #numberOf(node: KernfsNode): number {
    return this.#renumbered.get(node) ?? node.ino;
  }

  /** @returns the node, when the kernel knows it no longer by this number */
  forget(nodeid: number, lookups: number): KernfsNode | undefined {
    const known = this.#known.get(nodeid);
    if (!known) return undefined;
    known.lookups -= lookups;
    if (known.lookups > 0) return undefined;
    this.#known.delete(nodeid);
    return known.node;
  }

  /** How many nodes the kernel knows, the root included. */
  get size(): number {
    return this.#known.size;
  }
}
