/**
 * A directory that lists its newest entry first, as the memory file systems built on the dentry cache do
 * (fs/libfs.c: tmpfs, debugfs).
 *
 * Names must come in the order in which they were made, so such a directory has children or one template, not both;
 * unless a subclass knows the order.
 * @module
 */

import { KernfsDir } from './dir.js';
import { END_OF_DIRECTORY } from './hash.js';

export class NewestFirstDir extends KernfsDir {
  /** Order of making, for the names that have been listed: a reader's position must outlive other entries. */
  readonly #sequence = new Map<string, number>();
  #last = 0;

  override entryRemoved(name: string): void {
    this.#sequence.delete(name);
    super.entryRemoved(name);
  }

  override removeChild(name: string): void {
    this.#sequence.delete(name);
    super.removeChild(name);
  }

  /** A number for an entry: the later it was made, the higher. */
  protected sequenceOf(name: string): number {
    let sequence = this.#sequence.get(name);
    if (sequence === undefined) {
      sequence = ++this.#last;
      this.#sequence.set(name, sequence);
    }
    return sequence;
  }

  protected override sorted(names: string[]) {
    const made = names.map((name) => ({ name, sequence: this.sequenceOf(name) }));
    made.sort((a, b) => b.sequence - a.sequence);
    return {
      names: made.map(({ name }) => name),
      offsets: made.map(({ sequence }) => END_OF_DIRECTORY - 1 - sequence),
    };
  }
}
