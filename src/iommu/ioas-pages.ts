/**
 * User memory behind the mappings of an IOAS (`struct iopt_pages`, drivers/iommu/iommufd/pages.c): the pages that one
 * request mapped, shared by every mapping that was copied or cut from it, and which of them devices hold.
 *
 * A page that is held counts as locked memory of its process, once however often it is held. The kernel counts nothing
 * for a process with CAP_IPC_LOCK; here its count goes up too, but has no limit. A held page is reached through its
 * address: where a process unmaps memory that a device holds, the kernel's device keeps the page, and this one faults.
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { PinnedPage } from './backend.js';

export const PAGE_SIZE = 4096n;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** A range of pages that some device holds, by the same bounds as often as `users` says. */
interface PagesAccess {
  readonly first: number;
  readonly last: number;
  users: number;
}

export class IoasPages {
  /** Mappings that need the pages. */
  #references = 1;
  readonly #accesses = new Map<string, PagesAccess>();
  /** Numbers of the pages that are held, and by how many accesses. */
  readonly #pinned = new Map<number, number>();

  private constructor(
    readonly memory: UserMemory,
    /** Address of the first page. */
    readonly address: bigint,
    readonly writable: boolean,
  ) {}

  /**
   * Notes a range of user memory (`iopt_alloc_pages`); whether there is any, nobody looks.
   * @returns the pages, and where in them the range begins
   * @throws EINVAL for no bytes, or nearly 2^64; EOVERFLOW for a range beyond the last address
   */
  static alloc(memory: UserMemory, address: bigint, length: bigint, writable: boolean): [IoasPages, bigint] {
    if (length > U64_MAX - PAGE_SIZE || length === 0n) throw new KernelError(Errno.EINVAL);
    if (address + length > U64_MAX) throw new KernelError(Errno.EOVERFLOW);
    const offset = address % PAGE_SIZE;
    return [new IoasPages(memory, address - offset, writable), offset];
  }

  get(): this {
    this.#references++;
    return this;
  }

  /** Gives a reference back. With the last one, pages that a device should have let go are let go for it. */
  put(): void {
    if (--this.#references > 0) return;
    if (this.#pinned.size > 0) this.memory.chargeLocked(-this.#pinned.size);
    this.#pinned.clear();
    this.#accesses.clear();
  }

  /** How many pages from `first` to `last` are held. */
  pinnedBetween(first: number, last: number): number {
    let count = 0;
    for (const index of this.#pinned.keys()) if (index >= first && index <= last) count++;
    return count;
  }

  /**
   * Holds pages (`iopt_area_add_access`).
   * @param write whether the device is going to write
   * @throws EPERM for writing to what was mapped read-only; EFAULT for memory that is not there, or not writable
   * @throws ENOMEM beyond RLIMIT_MEMLOCK
   */
  addAccess(first: number, last: number, write: boolean): PinnedPage[] {
    if (write && !this.writable) throw new KernelError(Errno.EPERM);
    const key = `${first}-${last}`;
    const access = this.#accesses.get(key);
    if (access) access.users++;
    else {
      this.#pin(first, last);
      this.#accesses.set(key, { first, last, users: 1 });
    }
    const pages: PinnedPage[] = [];
    for (let index = first; index <= last; index++) pages.push(this.#page(index));
    return pages;
  }

  #pin(first: number, last: number): void {
    let pages = 0;
    for (let index = first; index <= last; index++) {
      if (this.#pinned.has(index)) continue;
      pages++;
      const address = this.#addressOf(index);
      const byte = this.memory.read(address, 1);
      // Pages that may be written are pinned for writing, whatever this device wants.
      if (this.writable) this.memory.write(address, byte);
    }
    if (pages > 0) this.memory.chargeLocked(pages);
    for (let index = first; index <= last; index++)
      this.#pinned.set(index, (this.#pinned.get(index) ?? 0) + 1);
  }

  /**
   * Undoes {@link addAccess} with the same bounds.
   * @returns whether there was such an access
   */
  removeAccess(first: number, last: number): boolean {
    const key = `${first}-${last}`;
    const access = this.#accesses.get(key);
    if (!access) return false;
    if (--access.users > 0) return true;
    this.#accesses.delete(key);
    let unpinned = 0;
    for (let index = first; index <= last; index++) {
      const holders = this.#pinned.get(index)! - 1;
      if (holders > 0) this.#pinned.set(index, holders);
      else {
        this.#pinned.delete(index);
        unpinned++;
      }
    }
    if (unpinned > 0) this.memory.chargeLocked(-unpinned);
    return true;
  }

  /** @throws EFAULT */
  read(offset: bigint, length: number): Buffer {
    return this.memory.read(this.address + offset, length);
  }

  /** @throws EPERM for what was mapped read-only; EFAULT */
  write(offset: bigint, bytes: Uint8Array): void {
    if (!this.writable) throw new KernelError(Errno.EPERM);
    this.memory.write(this.address + offset, bytes);
  }

  #page(index: number): PinnedPage {
    const { memory } = this;
    const address = this.#addressOf(index);
    return {
      read: (offset, length) => memory.read(address + BigInt(offset), length),
      write: (offset, bytes) => memory.write(address + BigInt(offset), bytes),
    };
  }

  #addressOf(index: number): bigint {
    return this.address + BigInt(index) * PAGE_SIZE;
  }
}
