/**
 * How often the kernel asked, by operation, and how often it was notified: `NAME COUNT`, a line each, what did not
 * happen left out. Writing anything begins anew. Requests about the file itself are not counted, so that
 * `echo > ops; CMD; cat ops` tells what CMD cost.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile } from '../kernfs/file.js';

export class OperationCounts {
  readonly #counts = new Map<string, number>();
  /** Inode number of the counts' own file. */
  ownFile = 0;

  count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  reset(): void {
    this.#counts.clear();
  }

  /** Shows the counts as a file of a directory. */
  addFile(dir: KernfsDir): void {
    const file = new KernfsFile(dir.root, 'ops', 0o600, {
      size: 0,
      show: () => this.text,
      store: (data) => {
        this.reset();
        return data.length;
      },
    });
    this.ownFile = dir.add(file).ino;
  }

  get text(): string {
    return [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name} ${count}\n`)
      .join('');
  }
}
