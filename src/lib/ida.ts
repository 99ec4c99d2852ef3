/**
 * The id allocator of lib/idr.c (`ida_alloc`, `ida_free`): always the lowest free number.
 *
 * Freed numbers below the high-water mark wait in a binary heap, so that allocation and release stay
 * logarithmic with a hundred thousand ids in use.
 * @module
 */

import { Errno, KernelError } from './errno.js';

export class Ida {
  #next: number;
  readonly #last: number;
  readonly #freed: number[] = [];
  /** The id that the next {@link alloc} gives if it is free, as a machine that is put back asks for. */
  wish: number | undefined = undefined;

  /**
   * @param first lowest id to give out
   * @param last highest id to give out
   */
  constructor(first = 0, last = 0x7fffffff) {
    this.#next = first;
    this.#last = last;
  }

  /**
   * The lowest free id, or the one that was wished for.
   * @throws ENOSPC when all ids are in use
   */
  alloc(): number {
    const { wish } = this;
    this.wish = undefined;
    if (wish !== undefined && this.#take(wish)) return wish;
    const id = this.#freed.length > 0 ? this.#pop() : this.#next;
    if (id === this.#next) {
      if (id > this.#last) throw new KernelError(Errno.ENOSPC);
      this.#next++;
    }
    return id;
  }

  free(id: number): void {
    if (id >= this.#next) throw new Error(`ida: ${id} is not allocated`);
    this.#push(id);
  }

  /** Takes one id, if it is free. */
  #take(id: number): boolean {
    if (id >= this.#next) {
      if (id > this.#last) return false;
      for (; this.#next < id; this.#next++) this.#push(this.#next);
      this.#next++;
      return true;
    }
    const at = this.#freed.indexOf(id);
    if (at < 0) return false;
    this.#freed.splice(at, 1);
    // In order, which is a heap too.
    this.#freed.sort((a, b) => a - b);
    return true;
  }

  #push(id: number): void {
    const heap = this.#freed;
    let at = heap.length;
    heap.push(id);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (heap[up]! <= id) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = id;
  }

  #pop(): number {
    const heap = this.#freed;
    const lowest = heap[0]!;
    const id = heap.pop()!;
    const size = heap.length;
    if (size > 0) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= size) break;
        if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
        if (heap[child]! >= id) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = id;
    }
    return lowest;
  }
}
