/**
 * An eventfd of another process, by a descriptor of our own: what a device signals there, the process reads.
 * @module
 */

import { closeSync } from 'node:fs';
import { Eventfd } from '../base/eventfd.js';
import type { DirectCalls } from '../fuse/device.js';

const ONE = Buffer.from(new BigUint64Array([1n]).buffer);

export class RemoteEventfd extends Eventfd {
  readonly #fd: number;
  readonly #write: DirectCalls['write'];

  /** @param fd ours to close */
  constructor(fd: number, write: DirectCalls['write']) {
    super();
    this.#fd = fd;
    this.#write = write;
  }

  /** What fails with EAGAIN is a counter at its end, whose reader has enough to do. */
  override signal(): void {
    this.#write(this.#fd, ONE, ONE.length);
  }

  protected override release(): void {
    super.release();
    closeSync(this.#fd);
  }
}
