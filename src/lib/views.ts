/**
 * The beginnings of one buffer. Making a view takes as long as a short system call, and most of those that are needed
 * are as long as another was before.
 * @module
 */

/** Longer ones are rare. */
const LONGEST = 1024;

export class Views {
  readonly #bySize: Buffer[] = [];

  constructor(readonly buffer: Buffer) {}

  of(size: number): Buffer {
    if (size > LONGEST) return this.buffer.subarray(0, size);
    const known = this.#bySize[size];
    if (known) return known;
    const view = this.buffer.subarray(0, size);
    this.#bySize[size] = view;
    return view;
  }
}
