/**
 * An eventfd of another process, by a descriptor of our own: what a device signals there, the process reads.
 * @module
 */

import { closeSync, writeSync } from 'node:fs';
import { Eventfd } from '../base/eventfd.js';

const ONE = Buffer.from(new BigUint64Array([1n]).buffer);

export class RemoteEventfd extends Eventfd {
  readonly #fd: number;

  /** @param fd ours to close */
  constructor(fd: number) {
    super();
    this.#fd = fd;
  }

  override signal(): void {
    try {
      writeSync(this.#fd, ONE);
    } catch {
      // EAGAIN: it is at its end, and its reader has enough to do.
    }
  }

  protected override release(): void {
    super.release();
    closeSync(this.#fd);
  }
}
