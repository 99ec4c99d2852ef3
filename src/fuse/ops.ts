/**
 * How often the kernel asked, by operation, and how often it was notified: `NAME COUNT`, a line each, what did not
 * happen left out. Writing anything begins anew. Requests about the file itself are not counted, so that
 * `echo > ops; CMD; cat ops` tells what CMD cost.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile } from '../kernfs/file.js';

export class OperationCounts {
  #counts = new Map<string, number>();
  #file: KernfsFile | undefined;

  count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  reset(): void {
    this.#counts.clear();
  }

  /** Shows the counts as a file of a directory. */
  addFile(dir: KernfsDir): void {
    this.#file = dir.add(
      new KernfsFile(dir.root, 'ops', 0o600, {
        size: 0,
        show: () => this.text,
        store: (data) => {
          this.reset();
          return data.length;
        },
      }),
    );
  }

  /** Whether an inode number is that of the counts' own file. */
  isOwnFile(ino: number): boolean {
    return this.#file?.ino === ino;
  }

  get text(): string {
    return [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name} ${count}\n`)
      .join('');
  }
}
