/**
 * The memory of a process, for as long as a device has mappings of it (/proc/PID/mem). The file stands for the address
 * space, whatever becomes of the process's number: when the process has ended, or become another program, there is
 * nothing more to be read.
 *
 * Differs from a kernel: pages are not pinned. What is at an address when the device gets there is what it gets, and a
 * page that may only be read is written to all the same, in a copy of the process's own.
 * @module
 */

import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { LockLimits } from './lock-limits.js';

const PAGE_SIZE = 4096;
const MAX_ADDRESS = 0x7fff_ffff_ffffn;

/** Files of processes that nobody refers to any more. */
const unused = new FinalizationRegistry<number>((fd) => closeSync(fd));

function fault(): never {
  throw new KernelError(Errno.EFAULT);
}

export class ProcessMemory implements UserMemory {
  readonly #fd: number;
  #locked = 0;
  /** Bytes, as far as they were asked for. */
  #lockLimit = 0;
  /** An address that was mapped when it was looked at last. */
  #mapped: bigint | undefined;

  /**
   * @param thread one that waits for this program, of the process
   * @param pid number of the process
   * @throws Error of open(2)
   */
  constructor(
    thread: number,
    readonly pid: number,
    readonly limits: LockLimits,
  ) {
    this.#fd = openSync(`/proc/${thread}/mem`, 'r+');
    unused.register(this, this.#fd, this);
  }

  /** Nobody refers to it any more; without it, that is found out some time later. */
  close(): void {
    unused.unregister(this);
    closeSync(this.#fd);
  }

  read(address: bigint, length: number): Buffer {
    const target = Buffer.allocUnsafe(length);
    this.readInto(address, target);
    return target;
  }

  readInto(address: bigint, target: Buffer): void {
    for (let done = 0; done < target.length; ) {
      const got = this.#read(address + BigInt(done), target, done);
      if (got === 0) fault();
      done += got;
    }
    this.#mapped = address;
  }

  #read(address: bigint, target: Buffer, done: number): number {
    if (address < 0n || address > MAX_ADDRESS) fault();
    try {
      return readSync(this.#fd, target, done, target.length - done, address);
    } catch {
      return fault();
    }
  }

  write(address: bigint, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = address + BigInt(done);
      if (at < 0n || at > MAX_ADDRESS) fault();
      const put = this.#write(at, bytes.subarray(done));
      if (put === 0) fault();
      done += put;
    }
  }

  #write(address: bigint, bytes: Uint8Array): number {
    try {
      return writeSync(this.#fd, bytes, 0, bytes.length, Number(address));
    } catch {
      return fault();
    }
  }

  get gone(): boolean {
    if (this.#mapped === undefined) return false;
    try {
      return readSync(this.#fd, Buffer.alloc(1), 0, 1, this.#mapped) === 0;
    } catch {
      // The page is gone, the process is not.
      return false;
    }
  }

  get locked(): number {
    return this.#locked;
  }

  chargeLocked(pages: number): void {
    const wanted = (this.#locked + pages) * PAGE_SIZE;
    if (pages > 0 && wanted > this.#lockLimit) {
      this.#lockLimit = this.limits.of(this.pid);
      if (wanted > this.#lockLimit) throw new KernelError(Errno.ENOMEM);
    }
    this.#locked += pages;
  }
}
