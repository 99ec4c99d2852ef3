/**
 * Open devices by the handle that stands for them on the wire.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { OpenDeviceFile } from './char-device.js';

export class CharHandles {
  readonly #open = new Map<number, OpenDeviceFile>();
  #last = 0;

  add(file: OpenDeviceFile): number {
    this.#open.set(++this.#last, file);
    return this.#last;
  }

  /** @throws EBADF for a handle that is not open */
  get(fh: number): OpenDeviceFile {
    const file = this.#open.get(fh);
    if (!file) throw new KernelError(Errno.EBADF);
    return file;
  }

  release(fh: number): void {
    const file = this.#open.get(fh);
    this.#open.delete(fh);
    file?.release();
  }

  /** Nobody serves them any more. */
  releaseAll(): void {
    for (const fh of [...this.#open.keys()]) this.release(fh);
  }
}
