/**
 * An ordered set of intervals that do not overlap, each of 64-bit numbers from `start` to `last`, both included (so
 * that the last number there is can be part of one). Looking up, inserting and removing take logarithmic time. It
 * serves where the kernel has an interval tree whose members never overlap.
 * @module
 */

import { RbNode, RbTree } from './rbtree.js';

/** A member. Its bounds may change while it is in a map only as far as neither neighbour is touched. */
export abstract class Interval<I extends Interval<I>> extends RbNode<I> {
  constructor(
    public start: bigint,
    public last: bigint,
  ) {
    super();
  }
}

export class IntervalMap<I extends Interval<I>> {
  readonly #tree = new RbTree<I>();

  get size(): number {
    return this.#tree.size;
  }

  /**
   * @returns whether it was inserted; false when it overlaps a member
   */
  insert(interval: I): boolean {
    const { start, last } = interval;
    let parent: I | undefined;
    let side: 'left' | 'right' = 'left';
    for (let node = this.#tree.root; node; node = node[side]) {
      parent = node;
      if (last < node.start) side = 'left';
      else if (start > node.last) side = 'right';
      else return false;
    }
    this.#tree.insert(interval, parent, side);
    return true;
  }

  /** Removes a member. */
  remove(interval: I): void {
    this.#tree.erase(interval);
  }

  findContaining(point: bigint): I | undefined {
    let node = this.#tree.root;
    while (node) {
      if (point < node.start) node = node.left;
      else if (point > node.last) node = node.right;
      else return node;
    }
    return undefined;
  }

  /** The first member that begins at `point` or after it. */
  firstAtOrAfter(point: bigint): I | undefined {
    let found: I | undefined;
    for (let node = this.#tree.root; node; ) {
      if (node.start >= point) {
        found = node;
        node = node.left;
      } else node = node.right;
    }
    return found;
  }

  /** The last member that begins at `point` or before it. */
  lastAtOrBefore(point: bigint): I | undefined {
    let found: I | undefined;
    for (let node = this.#tree.root; node; ) {
      if (node.start <= point) {
        found = node;
        node = node.right;
      } else node = node.left;
    }
    return found;
  }

  /** The first member that has a number in common with `start` to `last`. */
  firstOverlapping(start: bigint, last: bigint): I | undefined {
    let found: I | undefined;
    for (let node = this.#tree.root; node; ) {
      if (node.last >= start) {
        found = node;
        node = node.left;
      } else node = node.right;
    }
    return found && found.start <= last ? found : undefined;
  }

  first(): I | undefined {
    return this.#tree.first();
  }

  last(): I | undefined {
    return this.#tree.last();
  }

  next(interval: I): I | undefined {
    return this.#tree.next(interval);
  }

  previous(interval: I): I | undefined {
    return this.#tree.previous(interval);
  }

  /** The members with a number between `start` and `last`, in order. The one that was yielded may be removed. */
  *overlapping(start: bigint, last: bigint): Generator<I> {
    let interval = this.firstOverlapping(start, last);
    while (interval && interval.start <= last) {
      const next = this.#tree.next(interval);
      yield interval;
      interval = next;
    }
  }

  /** All members in order. The one that was yielded may be removed. */
  *[Symbol.iterator](): Generator<I> {
    for (let interval = this.#tree.first(); interval; ) {
      const next = this.#tree.next(interval);
      yield interval;
      interval = next;
    }
  }
}
