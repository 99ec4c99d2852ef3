/**
 * User memory behind the mappings of an IOAS (`struct iopt_pages`, drivers/iommu/iommufd/pages.c): the pages that one
 * request mapped, shared by every mapping that was copied or cut from it, and which of them devices hold.
 *
 * A page that is held counts as locked memory of its process, once however often it is held. The kernel counts nothing
 * for a process with CAP_IPC_LOCK; here its count goes up too, but has no limit.
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { PinnedPage } from './backend.js';
import { faultInUserPages, PAGE_SIZE_64 as PAGE_SIZE, pinUserPage } from './user-page.js';

const U64_MAX = 0xffff_ffff_ffff_ffffn;

interface HeldPage {
  readonly page: PinnedPage;
  /** Accesses with the page in their range. */
  holders: number;
}

export class IoasPages {
  /** Mappings that need the pages. */
  #references = 1;
  /** Ranges that are held, as `first-last`, and how often each by the same bounds. */
  readonly #accesses = new Map<string, number>();
  /** The pages that are held, by their number. */
  readonly #held = new Map<number, HeldPage>();

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
    this.#uncharge(this.#held.size);
    this.#held.clear();
    this.#accesses.clear();
  }

  /** How many pages from `first` to `last` are held. */
  heldBetween(first: number, last: number): number {
    let count = 0;
    for (const index of this.#held.keys()) if (index >= first && index <= last) count++;
    return count;
  }

  /**
   * Holds pages (`iopt_area_add_access`), all or none.
   * @param write whether the device is going to write
   * @throws EPERM for writing to what was mapped read-only; EFAULT for memory that is not there, or not writable
   * @throws ENOMEM beyond RLIMIT_MEMLOCK
   */
  addAccess(first: number, last: number, write: boolean): PinnedPage[] {
    if (write && !this.writable) throw new KernelError(Errno.EPERM);
    const key = `${first}-${last}`;
    const users = this.#accesses.get(key) ?? 0;
    if (users === 0) this.#hold(first, last);
    this.#accesses.set(key, users + 1);
    const pages: PinnedPage[] = [];
    for (let index = first; index <= last; index++) pages.push(this.#held.get(index)!.page);
    return pages;
  }

  #hold(first: number, last: number): void {
    const { memory } = this;
    const held: HeldPage[] = [];
    let pages = 0;
    const address = this.address + BigInt(first) * PAGE_SIZE;
    const present = faultInUserPages(memory, address, last - first + 1);
    for (let index = first; index <= last; index++) {
      const before = this.#held.get(index);
      if (!before) pages++;
      held.push(before ?? { page: this.#pin(index, present), holders: 0 });
    }
    if (pages > 0) this.#charge(pages);
    held.forEach((page, at) => {
      page.holders++;
      this.#held.set(first + at, page);
    });
  }

  /** Pages that may be written are pinned for writing, whatever the device wants that pins them. */
  #pin(index: number, present: boolean): PinnedPage {
    if (!present && this.memory.gone) throw new KernelError(Errno.EFAULT);
    return pinUserPage(this.memory, this.address + BigInt(index) * PAGE_SIZE, this.writable, present);
  }

  /** @throws ENOMEM */
  #charge(pages: number): void {
    this.memory.charge?.(pages);
    try {
      this.memory.chargeLocked(pages);
    } catch (error) {
      this.memory.charge?.(-pages);
      throw error;
    }
  }

  #uncharge(pages: number): void {
    if (pages === 0) return;
    this.memory.chargeLocked(-pages);
    this.memory.charge?.(-pages);
  }

  /**
   * Undoes {@link addAccess} with the same bounds.
   * @returns whether there was such an access
   */
  removeAccess(first: number, last: number): boolean {
    const key = `${first}-${last}`;
    const users = this.#accesses.get(key);
    if (users === undefined) return false;
    if (users > 1) this.#accesses.set(key, users - 1);
    else {
      this.#accesses.delete(key);
      this.#letGo(first, last);
    }
    return true;
  }

  #letGo(first: number, last: number): void {
    let pages = 0;
    for (let index = first; index <= last; index++) {
      if (--this.#held.get(index)!.holders > 0) continue;
      this.#held.delete(index);
      pages++;
    }
    this.#uncharge(pages);
  }

  /** @throws EFAULT */
  readInto(offset: bigint, target: Buffer): void {
    this.memory.readInto(this.address + offset, target);
  }

  /** @throws EPERM for what was mapped read-only; EFAULT */
  write(offset: bigint, bytes: Uint8Array): void {
    if (!this.writable) throw new KernelError(Errno.EPERM);
    this.memory.write(this.address + offset, bytes);
  }
}
