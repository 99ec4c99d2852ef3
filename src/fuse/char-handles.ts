/**
 * Open devices by the handle that stands for them on the wire, and by the number of their inode.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { OpenDeviceFile } from './char-device.js';

interface Handle {
  readonly file: OpenDeviceFile;
  readonly nodeid: number;
}

export class CharHandles {
  readonly #open = new Map<number, Handle>();
  /** The one that was opened last comes last. */
  readonly #byNode = new Map<number, OpenDeviceFile[]>();
  #last = 0;

  add(file: OpenDeviceFile, nodeid: number): number {
    this.#open.set(++this.#last, { file, nodeid });
    const others = this.#byNode.get(nodeid);
    if (others) others.push(file);
    else this.#byNode.set(nodeid, [file]);
    return this.#last;
  }

  /** @throws EBADF for a handle that is not open */
  get(fh: number): OpenDeviceFile {
    const handle = this.#open.get(fh);
    if (!handle) throw new KernelError(Errno.EBADF);
    return handle.file;
  }

  /** Open files of an inode: one, unless it was opened by another way than its name. */
  ofNode(nodeid: number): readonly OpenDeviceFile[] {
    return this.#byNode.get(nodeid) ?? [];
  }

  release(fh: number): void {
    const handle = this.#open.get(fh);
    if (!handle) return;
    const { file, nodeid } = handle;
    this.#open.delete(fh);
    const left = this.ofNode(nodeid).filter((other) => other !== file);
    if (left.length > 0) this.#byNode.set(nodeid, left);
    else this.#byNode.delete(nodeid);
    file.release();
  }

  /** Nobody serves them any more. */
  releaseAll(): void {
    for (const fh of [...this.#open.keys()]) this.release(fh);
  }

  get size(): number {
    return this.#open.size;
  }
}
