/**
 * What an IOAS maps (`struct io_pagetable`, drivers/iommu/iommufd/io_pagetable.c): areas of IOVAs that lead to user
 * memory, which of the free ones may be chosen, and how everything has to be aligned.
 *
 * Every IOVA of 64 bits can be mapped, byte by byte as long as no device is attached: only devices behind a real IOMMU
 * reserve some, and none of those gets here.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { IntervalMap } from '../lib/interval-map.js';
import type { IovaRange } from '../uapi/iommufd.js';
import { IOMMU_WRITE } from './backend.js';
import { IoasArea, type PagesSlice } from './ioas-area.js';
import { chooseIova } from './ioas-iova.js';
import { PAGE_SIZE_64 as PAGE_SIZE } from './user-page.js';

export const U64_MAX = 0xffff_ffff_ffff_ffffn;
/** How often devices are asked to let go of an area that is unmapped. */
const MAX_TRIES = 100;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/** A device that does DMA through the table (`struct iommufd_access`, as the table sees it). */
export interface TableUser {
  /** Everything that is mapped while the user is there has to be aligned so. */
  readonly iovaAlignment: bigint;
  /** Has to let go of the pages of a range. */
  unmap(iova: bigint, length: bigint): void;
}

/** What an unmapping came to: it may fail when a part is done already. */
export interface Unmapped {
  readonly bytes: bigint;
  readonly error?: KernelError;
}

export class IoasTable {
  readonly areas = new IntervalMap<IoasArea>();
  readonly users = new Set<TableUser>();
  /** Ranges that {@link map} may choose from, in order; none for all. */
  allowed: readonly IovaRange[] = [];
  #alignment = 1n;
  #largePages = true;

  /** What IOVAs, lengths and user addresses have to be multiples of. */
  get alignment(): bigint {
    return this.#alignment;
  }

  get largePages(): boolean {
    return this.#largePages;
  }

  /** The IOVAs that can be mapped (`interval_tree_for_each_span` over the reserved ones). */
  get ranges(): IovaRange[] {
    return [{ start: 0n, last: U64_MAX }];
  }

  /**
   * Maps pieces of user memory one after the other (`iopt_map_pages`), all or none. The table takes over the
   * references of the pieces.
   * @param length the length of all pieces together
   * @param iova where; undefined for anywhere
   * @returns the IOVA of the first byte
   * @throws EINVAL for no bytes, or what is not aligned; EOVERFLOW beyond the last IOVA; EEXIST over another mapping
   * @throws ENOMEM beyond what the user may have kept; ENOSPC when there is no room; EPERM for write access to pages that were mapped read-only
   */
  map(slices: readonly PagesSlice[], length: bigint, iova: bigint | undefined, prot: number): bigint {
    try {
      const start = this.#place(slices[0]!, length, iova);
      const areas = this.#layOut(slices, start, prot);
      slices[0]!.pages.memory.charge?.(areas.length);
      for (const area of areas) this.areas.insert(area);
      return start;
    } catch (error) {
      for (const { pages } of slices) pages.put();
      throw error;
    }
  }

  #place({ pages, startByte }: PagesSlice, length: bigint, iova: bigint | undefined): bigint {
    const mask = this.#alignment - 1n;
    if (length & mask || length === 0n) fail(Errno.EINVAL);
    if (iova === undefined)
      return chooseIova(this.areas, this.allowed, this.#alignment, pages.address + startByte, length);
    if (iova & mask) fail(Errno.EINVAL);
    const last = iova + length - 1n;
    if (last > U64_MAX) fail(Errno.EOVERFLOW);
    if (this.areas.firstOverlapping(iova, last)) fail(Errno.EEXIST);
    return iova;
  }

  #layOut(slices: readonly PagesSlice[], start: bigint, prot: number): IoasArea[] {
    let iova = start;
    return slices.map(({ pages, startByte, length }) => {
      if (prot & IOMMU_WRITE && !pages.writable) fail(Errno.EPERM);
      if ((startByte % PAGE_SIZE) & (this.#alignment - 1n)) fail(Errno.EINVAL);
      const area = new IoasArea(iova, iova + length - 1n, pages, startByte, prot);
      iova += length;
      return area;
    });
  }

  /**
   * The user memory behind a range (`iopt_get_pages`), with references.
   * @throws EINVAL for no bytes; EOVERFLOW beyond the last IOVA; ENOENT when not all of it is mapped
   */
  pagesOf(iova: bigint, length: bigint): PagesSlice[] {
    if (length === 0n) fail(Errno.EINVAL);
    const last = iova + length - 1n;
    if (last > U64_MAX) fail(Errno.EOVERFLOW);
    const slices: PagesSlice[] = [];
    const covered = this.walk(iova, last, (area, from, to) => {
      slices.push({ pages: area.pages.get(), startByte: area.byteOf(from), length: to - from + 1n });
    });
    if (covered) return slices;
    for (const { pages } of slices) pages.put();
    return fail(Errno.ENOENT);
  }

  /**
   * Visits the areas of a range as long as they follow each other without a gap.
   * @returns whether the whole range is mapped
   */
  walk(iova: bigint, last: bigint, visit: (area: IoasArea, from: bigint, to: bigint) => void): boolean {
    let area = this.areas.findContaining(iova);
    for (let from = iova; area && area.start <= from; from = area!.last + 1n, area = this.areas.next(area!)) {
      visit(area, from, area.last < last ? area.last : last);
      if (area.last >= last) return true;
    }
    return false;
  }

  /**
   * Unmaps a range (`iopt_unmap_iova`); no area may reach out of it.
   * Errors: EINVAL for no bytes; EOVERFLOW beyond the last IOVA; as {@link unmapRange}.
   */
  unmap(iova: bigint, length: bigint): Unmapped {
    const last = iova + length - 1n;
    if (length === 0n) return { bytes: 0n, error: new KernelError(Errno.EINVAL) };
    if (last > U64_MAX) return { bytes: 0n, error: new KernelError(Errno.EOVERFLOW) };
    return this.unmapRange(iova, last);
  }

  /**
   * Unmaps what is in a range, from its beginning, after devices let go of it (`iopt_unmap_iova_range`).
   * Errors: ENOENT at an area that reaches out of the range; EDEADLK when a device does not let go.
   */
  unmapRange(start: bigint, last: bigint): Unmapped {
    let bytes = 0n;
    let tries = 0;
    for (;;) {
      const area = this.areas.firstOverlapping(start, last);
      if (!area) return { bytes };
      if (area.start < start || area.last > last) return { bytes, error: new KernelError(Errno.ENOENT) };
      if (area.accesses > 0) {
        area.preventAccess = true;
        this.#notifyUnmap(area);
        if (++tries > MAX_TRIES) return { bytes, error: new KernelError(Errno.EDEADLK) };
        continue;
      }
      this.#remove(area);
      bytes += area.length;
    }
  }

  /** Every user is told (`iommufd_access_notify_unmap`): which of them holds pages, the table does not know. */
  #notifyUnmap({ start, length }: IoasArea): void {
    for (const user of [...this.users]) user.unmap(start, length);
  }

  #remove(area: IoasArea): void {
    this.areas.remove(area);
    area.pages.memory.charge?.(-1);
    area.pages.put();
  }

  /** The table goes: also what a device did not let go of. */
  destroy(): void {
    this.unmapRange(0n, U64_MAX);
    for (const area of this.areas) this.#remove(area);
  }

  /**
   * Cuts areas in two, so that a part can be unmapped (`iopt_cut_iova`).
   * @param iovas where a piece shall end; those that nothing is mapped at are left out
   * @throws EBUSY for an area that is being unmapped; EINVAL for one that a device holds, and for a cut not aligned
   */
  cut(iovas: readonly bigint[]): void {
    for (const iova of iovas) {
      const area = this.areas.findContaining(iova);
      if (area && iova !== area.start && iova !== area.last) this.#split(area, iova);
    }
  }

  #split(area: IoasArea, iova: bigint): void {
    const { pages, prot, last } = area;
    const at = iova + 1n;
    if (area.preventAccess) fail(Errno.EBUSY);
    if ((at | area.byteOf(at)) & (this.#alignment - 1n)) fail(Errno.EINVAL);
    if (area.accesses > 0) fail(Errno.EINVAL);
    pages.memory.charge?.(1);
    this.areas.remove(area);
    this.areas.insert(new IoasArea(area.start, iova, pages, area.startByte, prot));
    this.areas.insert(new IoasArea(at, last, pages.get(), area.byteOf(at), prot));
  }

  /**
   * A device is going to use the table (`iopt_add_access`).
   * @throws EADDRINUSE when something is mapped that is not aligned as the device wants it
   */
  addUser(user: TableUser): void {
    this.users.add(user);
    try {
      this.#calculateAlignment();
    } catch (error) {
      this.users.delete(user);
      throw error;
    }
  }

  removeUser(user: TableUser): void {
    this.users.delete(user);
    this.#calculateAlignment();
  }

  /**
   * Allows mappings larger than a page, or not: then they can be cut.
   * @throws EADDRINUSE when something is mapped that is not aligned to pages
   */
  setLargePages(allowed: boolean): void {
    if (allowed === this.#largePages) return;
    this.#largePages = allowed;
    try {
      this.#calculateAlignment();
    } catch (error) {
      this.#largePages = !allowed;
      throw error;
    }
  }

  #calculateAlignment(): void {
    let alignment = this.#largePages ? 1n : PAGE_SIZE;
    for (const user of this.users) if (user.iovaAlignment > alignment) alignment = user.iovaAlignment;
    if (alignment > this.#alignment) {
      for (const area of this.areas) if (!area.isAligned(alignment)) fail(Errno.EADDRINUSE);
    }
    this.#alignment = alignment;
  }
}
