/**
 * A directory that lists its newest entry first, as the memory file systems built on the dentry cache do
 * (fs/libfs.c: tmpfs, debugfs).
 *
 * Names must come in the order in which they were made, so such a directory has children or one template, not both.
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

  protected override sorted(names: string[]) {
    for (const name of names) if (!this.#sequence.has(name)) this.#sequence.set(name, ++this.#last);
    const newest = [...names].sort((a, b) => this.#sequence.get(b)! - this.#sequence.get(a)!);
    return {
      names: newest,
      offsets: newest.map((name) => END_OF_DIRECTORY - 1 - this.#sequence.get(name)!),
    };
  }
}
