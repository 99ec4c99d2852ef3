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

  /**
   * @param first lowest id to give out
   * @param last highest id to give out
   */
  constructor(first = 0, last = 0x7fffffff) {
    this.#next = first;
    this.#last = last;
  }

  /**
   * The lowest free id.
   * @throws ENOSPC when all ids are in use
   */
  alloc(): number {
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
