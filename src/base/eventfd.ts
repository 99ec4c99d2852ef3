/**
 * eventfd(2) (fs/eventfd.c): a counter that devices add to and user space reads.
 *
 * Modelled: a non-blocking one without EFD_SEMAPHORE. Who is to be woken up listens.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { CharFile } from './file.js';

const SIZE = 8;
const MAX = 0xffff_ffff_ffff_fffen;
const POLLIN = 1;
const POLLOUT = 4;

export class Eventfd extends CharFile {
  override readonly name = 'anon_inode:[eventfd]';
  count: bigint;
  readonly #listeners = new Set<() => void>();

  constructor(initial = 0) {
    super();
    this.count = BigInt(initial);
  }

  /** Adds one (`eventfd_signal`). */
  signal(): void {
    if (this.count < MAX) this.count++;
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after each signal or write. Returns what ends that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws EINVAL for fewer than 8 bytes; EAGAIN when the counter is 0 */
  override read(length: number): Uint8Array {
    if (length < SIZE) throw new KernelError(Errno.EINVAL);
    if (this.count === 0n) throw new KernelError(Errno.EAGAIN);
    const bytes = Buffer.alloc(SIZE);
    bytes.writeBigUInt64LE(this.count);
    this.count = 0n;
    return bytes;
  }

  /** @throws EINVAL for fewer than 8 bytes, or for the largest number; EAGAIN when the counter would overflow */
  override write(bytes: Uint8Array): number {
    if (bytes.length < SIZE) throw new KernelError(Errno.EINVAL);
    const added = Buffer.from(bytes).readBigUInt64LE();
    if (added > MAX) throw new KernelError(Errno.EINVAL);
    if (added > MAX - this.count) throw new KernelError(Errno.EAGAIN);
    this.count += added;
    for (const listener of this.#listeners) listener();
    return SIZE;
  }

  override poll(): number {
    return (this.count > 0n ? POLLIN : 0) | (this.count < MAX ? POLLOUT : 0);
  }

  protected override release(): void {
    this.#listeners.clear();
  }
}
