/**
 * A device without an IOMMU of its own, bound to an iommufd (`struct iommufd_access`, drivers/iommu/iommufd/device.c):
 * attached to an address space, it pins pages and copies through what is mapped there.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { type Dma, type DmaUser, IOMMU_READ, IOMMU_WRITE, type PinnedPage } from './backend.js';
import type { Ioas } from './ioas.js';
import type { IoasArea } from './ioas-area.js';
import { type TableUser, U64_MAX } from './ioas-table.js';
import type { IommufdCtx } from './iommufd-ctx.js';
import { IommufdObject } from './iommufd-object.js';
import { PAGE_SIZE_64 as PAGE_SIZE } from './user-page.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

export class IommufdAccess extends IommufdObject implements Dma, TableUser {
  /** Whoever pins does so by the page. */
  readonly iovaAlignment = PAGE_SIZE;
  #ioas: Ioas | undefined;
  /** Where pages are unpinned: while a device is detached, it can do that but no longer pin. */
  #unpinFrom: Ioas | undefined;

  constructor(
    readonly ctx: IommufdCtx,
    id: number,
    readonly user: DmaUser,
  ) {
    super(id);
  }

  get attached(): boolean {
    return this.#ioas !== undefined;
  }

  /**
   * Attaches the device to an address space, in place of the one that it is attached to
   * (`vfio_iommufd_emulated_attach_ioas`).
   * @throws ENOENT for an unknown one; EADDRINUSE when something is mapped there that is not aligned to pages
   * @throws EBUSY while the device is being detached; after an error nothing has changed
   */
  attach(ioasId: number): void {
    this.#change(this.ctx.ioas(ioasId));
  }

  /** Detaches it, after it let go of everything; nothing happens when it is not attached. */
  detach(): void {
    if (this.#ioas) this.#change(undefined);
  }

  #change(ioas: Ioas | undefined): void {
    const current = this.#ioas;
    if (current !== this.#unpinFrom) fail(Errno.EBUSY);
    if (current === ioas) return;
    if (ioas) {
      ioas.table.addUser(this);
      ioas.users++;
    }
    if (current) {
      this.#ioas = undefined;
      this.unmap(0n, U64_MAX);
      current.table.removeUser(this);
      current.users--;
    }
    this.#ioas = ioas;
    this.#unpinFrom = ioas;
  }

  /** Ends the binding (`iommufd_access_destroy`): it leaves the address space, and the iommufd may be closed. */
  unbind(): void {
    this.users--;
    this.ctx.objects.remove(this.id);
  }

  /** As an object: {@link unbind} takes it from the table. */
  destroy(): void {
    this.detach();
    this.ctx.put();
  }

  unmap(iova: bigint, length: bigint): void {
    this.user.dmaUnmap?.(iova, length);
  }

  /**
   * Pins pages (`iommufd_access_pin_pages`). The IOVA counts from the beginning of its page.
   * @throws EINVAL for no pages, for a range that is being unmapped, and for IOVAs whose pages begin elsewhere in memory
   * @throws EOVERFLOW beyond the last IOVA; ENOENT while not attached, and when not everything is mapped
   * @throws EPERM for access that the mapping does not grant; EFAULT for memory that is not there; ENOMEM
   */
  pinPages(iova: bigint, count: number, prot: number): PinnedPage[] {
    const start = iova - (iova % PAGE_SIZE);
    const last = this.#lastOf(start, BigInt(count) * PAGE_SIZE);
    const { table } = this.#ioas ?? fail(Errno.ENOENT);
    const write = (prot & IOMMU_WRITE) !== 0;
    const pinned: PinnedPage[] = [];
    let done = start;
    try {
      const covered = table.walk(start, last, (area, from, to) => {
        done = from;
        if (area.preventAccess || !isPaged(area, from, last)) fail(Errno.EINVAL);
        checkProt(area, write);
        for (const page of area.pages.addAccess(area.pageOf(from), area.pageOf(to), write)) pinned.push(page);
        area.accesses++;
        done = to + 1n;
      });
      if (!covered) fail(Errno.ENOENT);
    } catch (error) {
      if (done > start) this.#unpin(this.#ioas, start, done - 1n);
      throw error;
    }
    return pinned;
  }

  /** Undoes {@link pinPages} with the same bounds; what was not pinned like that stays as it is. */
  unpinPages(iova: bigint, count: number): void {
    if (count <= 0) return;
    const start = iova - (iova % PAGE_SIZE);
    const last = start + BigInt(count) * PAGE_SIZE - 1n;
    if (last <= U64_MAX) this.#unpin(this.#unpinFrom, start, last);
  }

  #unpin(ioas: Ioas | undefined, start: bigint, last: bigint): void {
    ioas?.table.walk(start, last, (area, from, to) => {
      if (area.pages.removeAccess(area.pageOf(from), area.pageOf(to))) area.accesses--;
    });
  }

  /**
   * Copies out of user memory (`iommufd_access_rw`), as far as it comes before an error.
   * @throws EINVAL for no bytes and for a range that is being unmapped; EOVERFLOW beyond the last IOVA
   * @throws ENOENT while not attached, and when not everything is mapped; EPERM for what may not be read; EFAULT
   */
  dmaRead(iova: bigint, length: number, target = Buffer.allocUnsafe(length)): Buffer {
    let at = 0;
    this.#copy(iova, length, false, (area, from, bytes) => {
      area.pages.readInto(area.byteOf(from), target.subarray(at, at + bytes));
      at += bytes;
    });
    return target;
  }

  /** Copies into user memory in the same way. Same errors as {@link dmaRead}. */
  dmaWrite(iova: bigint, bytes: Uint8Array): void {
    let at = 0;
    this.#copy(iova, bytes.length, true, (area, from, length) => {
      area.pages.write(area.byteOf(from), bytes.subarray(at, at + length));
      at += length;
    });
  }

  #copy(
    iova: bigint,
    length: number,
    write: boolean,
    copy: (area: IoasArea, from: bigint, length: number) => void,
  ): void {
    const last = this.#lastOf(iova, BigInt(length));
    const { table } = this.#ioas ?? fail(Errno.ENOENT);
    const covered = table.walk(iova, last, (area, from, to) => {
      if (area.preventAccess) fail(Errno.EINVAL);
      checkProt(area, write);
      copy(area, from, Number(to - from + 1n));
    });
    if (!covered) fail(Errno.ENOENT);
  }

  #lastOf(iova: bigint, length: bigint): bigint {
    if (length <= 0n) fail(Errno.EINVAL);
    const last = iova + length - 1n;
    return last > U64_MAX ? fail(Errno.EOVERFLOW) : last;
  }
}

/** @throws EPERM unless the mapping grants what is asked for */
function checkProt({ prot }: IoasArea, write: boolean): void {
  if (!(prot & (write ? IOMMU_WRITE : IOMMU_READ))) fail(Errno.EPERM);
}

/** Whether pages of IOVAs are pages of memory, from `from` to the end of the area if more follows it. */
function isPaged(area: IoasArea, from: bigint, last: bigint): boolean {
  if (area.byteOf(from) % PAGE_SIZE !== 0n) return false;
  return last <= area.last || (area.byteOf(area.last) + 1n) % PAGE_SIZE === 0n;
}
