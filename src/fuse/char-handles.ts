/**
 * Open devices by the handle that stands for them on the wire.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { OpenDeviceFile } from './char-device.js';
import { OpenBudget } from './open-budget.js';

export class CharHandles {
  readonly #open = new Map<number, { readonly file: OpenDeviceFile; readonly uid: number }>();
  readonly budget = new OpenBudget();
  #last = 0;

  /** @param uid of who opened it */
  add(file: OpenDeviceFile, uid: number): number {
    this.#open.set(++this.#last, { file, uid });
    this.budget.opened(uid);
    return this.#last;
  }

  /** @throws EBADF for a handle that is not open */
  get(fh: number): OpenDeviceFile {
    const open = this.#open.get(fh);
    if (!open) throw new KernelError(Errno.EBADF);
    return open.file;
  }

  release(fh: number): void {
    const open = this.#open.get(fh);
    if (!open) return;
    this.#open.delete(fh);
    this.budget.closed(open.uid);
    open.file.release();
  }

  /** Nobody serves them any more. */
  releaseAll(): void {
    for (const fh of [...this.#open.keys()]) this.release(fh);
  }
}
