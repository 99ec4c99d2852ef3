/**
 * Open files by the handle that stands for them on the wire, and the pollers that sleep on them.
 * @module
 */

import type { KernfsFile, KernfsOpenFile } from '../kernfs/file.js';
import type { KernfsNode } from '../kernfs/node.js';
import type { KernfsObserver } from '../kernfs/notify.js';
import { Errno, KernelError } from '../lib/errno.js';
import { OpenBudget } from './open-budget.js';

export class HandleTable implements KernfsObserver {
  readonly #open = new Map<number, { readonly file: KernfsOpenFile; readonly uid: number }>();
  readonly budget = new OpenBudget();
  /** How often each file is open. */
  readonly #counts = new Map<KernfsNode, number>();
  /** The kernel's poll handle by file handle, while somebody waits for an event there. */
  readonly #pollers = new Map<number, number>();
  #last = 0;

  /** @param wake tells the kernel to ask again about a poll handle */
  constructor(readonly wake: (kh: number) => void) {}

  /** @param uid of who opened it */
  add(file: KernfsOpenFile, uid: number): number {
    this.#open.set(++this.#last, { file, uid });
    this.budget.opened(uid);
    this.#counts.set(file.file, (this.#counts.get(file.file) ?? 0) + 1);
    return this.#last;
  }

  /** @throws EBADF for a handle that is not open */
  get(fh: number): KernfsOpenFile {
    const open = this.#open.get(fh);
    if (!open) throw new KernelError(Errno.EBADF);
    return open.file;
  }

  /** @returns the file that was open */
  release(fh: number): KernfsFile | undefined {
    const open = this.#open.get(fh);
    const file = open?.file.file;
    if (file) {
      this.budget.closed(open!.uid);
      const count = this.#counts.get(file)! - 1;
      if (count > 0) this.#counts.set(file, count);
      else this.#counts.delete(file);
    }
    this.#open.delete(fh);
    this.#pollers.delete(fh);
    open?.file.release();
    return file;
  }

  isOpen(node: KernfsNode): boolean {
    return this.#counts.has(node);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Wakes the poller once, at the next event of its file; it asks anew and waits anew. */
  wakeAtEvent(fh: number, kh: number): void {
    this.#pollers.set(fh, kh);
  }

  notified(node: KernfsNode): void {
    this.#wakeWhere((file) => file === node);
  }

  /** Whatever was below the removed entry went with it. */
  removed(): void {
    this.#wakeWhere((file) => file.removed);
  }

  #wakeWhere(happened: (file: KernfsNode) => boolean): void {
    for (const [fh, kh] of this.#pollers) {
      if (!happened(this.get(fh).file)) continue;
      this.#pollers.delete(fh);
      this.wake(kh);
    }
  }
}
