/**
 * How often the kernel asked, by operation, and how often it was notified: `NAME COUNT`, a line each, what did not
 * happen left out. Writing anything begins anew. Requests about the file itself are not counted, so that
 * `echo > ops; CMD; cat ops` tells what CMD cost.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile } from '../kernfs/file.js';
import { fuseOpName } from '../uapi/fuse.js';

export class OperationCounts {
  /** By opcode. */
  readonly #requests: number[] = [];
  readonly #notifications = new Map<string, number>();
  /** Inode number of the counts' own file. */
  ownFile = 0;

  countRequest(opcode: number): void {
    this.#requests[opcode] = (this.#requests[opcode] ?? 0) + 1;
  }

  countNotification(name: string): void {
    this.#notifications.set(name, (this.#notifications.get(name) ?? 0) + 1);
  }

  reset(): void {
    this.#requests.length = 0;
    this.#notifications.clear();
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
    const requests = this.#requests.map((count, opcode): [string, number] => [fuseOpName(opcode), count]);
    return [...requests.filter(Boolean), ...this.#notifications]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name} ${count}\n`)
      .join('');
  }
}
