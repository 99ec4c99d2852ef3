/**
 * Waits for descriptors that Node has no way to wait for (poll(2) on a thread of the pool). One thread waits for all.
 * @module
 */

import { closeSync, writeSync } from 'node:fs';
import type { NativeCalls, NativeFunction } from './native.js';

const POLLIN = 1;
const POLLFD_SIZE = 8;
const FOREVER = -1;
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;
const ONE = Buffer.from(new BigUint64Array([1n]).buffer);

export class Ready {
  readonly #poll: NativeFunction;
  /** An eventfd that ends the wait, so that the program can end: a thread of the pool that waits keeps it. */
  readonly #wakeup: number;
  #ended = false;

  constructor(calls: NativeCalls) {
    this.#poll = calls.bind('int poll(void *fds, unsigned long count, int timeout)');
    const eventfd = calls.bind('int eventfd(unsigned int initial, int flags)');
    this.#wakeup = calls.checked('eventfd', eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    process.on('exit', this.#exiting);
  }

  readonly #exiting = (): void => void writeSync(this.#wakeup, ONE);

  /**
   * Calls `take` each time that there is something to be read.
   * @returns when the other end of the descriptor is gone, or {@link end} was called
   */
  async each(fd: number, take: () => void): Promise<void> {
    const pollfds = Buffer.alloc(2 * POLLFD_SIZE);
    for (const [at, target] of [fd, this.#wakeup].entries()) {
      pollfds.writeInt32LE(target, at * POLLFD_SIZE);
      pollfds.writeInt16LE(POLLIN, at * POLLFD_SIZE + 4);
    }
    while (!this.#ended) {
      await new Promise<void>((resolve) => this.#poll.async(pollfds, 2, FOREVER, () => resolve()));
      const happened = pollfds.readInt16LE(6);
      if (this.#ended || (happened !== 0 && !(happened & POLLIN))) break;
      if (happened & POLLIN) take();
    }
    process.off('exit', this.#exiting);
    closeSync(this.#wakeup);
  }

  end(): void {
    this.#ended = true;
    this.#exiting();
  }
}
