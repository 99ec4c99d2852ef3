/**
 * The memory of a process, for as long as a device has mappings of it (/proc/PID/mem). The file stands for the address
 * space, whatever becomes of the process's number: when the process has ended, or become another program, there is
 * nothing more to be read. Copies are made by stubs (stub/copies.ts).
 *
 * Differs from a kernel: pages are not pinned. What is at an address when the device gets there is what it gets, and a
 * page that may only be read is written to all the same, in a copy of the process's own.
 * @module
 */

import { closeSync, openSync } from 'node:fs';
import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { LockLimits } from './lock-limits.js';
import type { Copies, MemoryFile } from './stub/copies.js';
import type { Client } from './stub/stubs.js';
import type { UserBudget } from './user-budget.js';

const PAGE_SIZE = 4096;
const MAX_ADDRESS = 0x7fff_ffff_ffffn;

/** Files of processes that nobody refers to any more. */
const unused = new FinalizationRegistry<number>((fd) => closeSync(fd));

function fault(): never {
  throw new KernelError(Errno.EFAULT);
}

export class ProcessMemory implements UserMemory {
  /** By which the stubs know it. */
  readonly file: MemoryFile;
  #locked = 0;
  /** Bytes, as far as they were asked for. */
  #lockLimit = 0;

  /**
   * @param thread one that waits for this program, of the process
   * @param client the process; @param budget of its user
   * @throws Error of open(2)
   */
  constructor(
    thread: number,
    readonly client: Client,
    readonly limits: LockLimits,
    readonly copies: Copies,
    readonly budget: UserBudget,
  ) {
    this.file = { client, fd: openSync(`/proc/${thread}/mem`, 'r+') };
    unused.register(this, this.file.fd, this);
  }

  /** Nobody refers to it any more; without it, that is found out some time later. */
  close(): void {
    unused.unregister(this);
    closeSync(this.file.fd);
  }

  read(address: bigint, length: number): Buffer {
    const target = Buffer.allocUnsafe(length);
    this.readInto(address, target);
    return target;
  }

  readInto(address: bigint, target: Buffer): void {
    if (address < 0n || address > MAX_ADDRESS) fault();
    this.copies.read(this.file, address, target);
  }

  write(address: bigint, bytes: Uint8Array): void {
    if (address < 0n || address > MAX_ADDRESS) fault();
    this.copies.write(this.file, address, bytes);
  }

  faultIn(address: bigint, length: number): void {
    if (address < 0n || address > MAX_ADDRESS) fault();
    this.copies.touch(this.file, address, length);
  }

  get gone(): boolean {
    return this.copies.isGone(this.file);
  }

  get locked(): number {
    return this.#locked;
  }

  chargeLocked(pages: number): void {
    const wanted = (this.#locked + pages) * PAGE_SIZE;
    if (pages > 0 && wanted > this.#lockLimit) {
      this.#lockLimit = this.limits.of(this.client.pid);
      if (wanted > this.#lockLimit) throw new KernelError(Errno.ENOMEM);
    }
    this.#locked += pages;
  }

  charge(objects: number): void {
    this.budget.charge(objects);
  }
}
