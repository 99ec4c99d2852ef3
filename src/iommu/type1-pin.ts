/**
 * What a device without an IOMMU does through the mappings of a type1 container (`vfio_pin_pages`, `vfio_unpin_pages`,
 * `vfio_dma_rw` in drivers/vfio/vfio_iommu_type1.c). A page that is pinned counts as locked for the process that mapped
 * it, once however often it is pinned.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { type Dma, IOMMU_READ, IOMMU_WRITE, type PinnedPage } from './backend.js';
import type { Type1Iommu } from './type1.js';
import { type Type1Dma, u64 } from './type1-dma.js';
import { markDirty } from './type1-dirty.js';
import { PAGE_SIZE_64, pinUserPage } from './user-page.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/** IOVA of a page in a range. */
function pageOf(iova: bigint, index: number): bigint {
  return u64((iova & -PAGE_SIZE_64) + BigInt(index) * PAGE_SIZE_64);
}

/** Gives back everything that is pinned in a mapping. */
export function releasePins(dma: Type1Dma): void {
  dma.memory.chargeLocked(-dma.pins.size);
  dma.pins.clear();
}

function pin(dma: Type1Dma, iova: bigint): PinnedPage {
  const known = dma.pins.get(iova);
  if (known) {
    known.references++;
    return known.page;
  }
  const page = pinUserPage(dma.memory, u64(dma.vaddr + iova - dma.iova), (dma.prot & IOMMU_WRITE) !== 0);
  dma.memory.chargeLocked(1);
  dma.pins.set(iova, { page, references: 1 });
  markDirty(dma, iova);
  return page;
}

/** A page that is not pinned stays so. */
function unpin(dma: Type1Dma, iova: bigint): void {
  const known = dma.pins.get(iova);
  if (!known || --known.references > 0) return;
  dma.pins.delete(iova);
  dma.memory.chargeLocked(-1);
}

export class Type1DeviceDma implements Dma {
  constructor(readonly iommu: Type1Iommu) {}

  /**
   * The offset of an IOVA in its page is ignored.
   * @throws EACCES in a container of version 1
   * @throws EINVAL while no device is open that can unpin; for a page that is not mapped
   * @throws EPERM for access that the mapping does not grant
   * @throws EFAULT, ENODEV when the memory cannot be had; ENOMEM beyond the limit of locked memory
   */
  pinPages(iova: bigint, count: number, prot: number): PinnedPage[] {
    const { iommu } = this;
    if (!iommu.v2) fail(Errno.EACCES);
    if (iommu.devices.length === 0) fail(Errno.EINVAL);
    const pages: PinnedPage[] = [];
    try {
      while (pages.length < count) {
        const at = pageOf(iova, pages.length);
        const dma = iommu.mappings.find(at, PAGE_SIZE_64) ?? fail(Errno.EINVAL);
        if ((dma.prot & prot) !== prot) fail(Errno.EPERM);
        pages.push(pin(dma, at));
      }
    } catch (error) {
      this.unpinPages(iova, pages.length);
      throw error;
    }
    return pages;
  }

  unpinPages(iova: bigint, count: number): void {
    if (!this.iommu.v2) return;
    for (let i = 0; i < count; i++) {
      const at = pageOf(iova, i);
      const dma = this.iommu.mappings.find(at, PAGE_SIZE_64);
      if (!dma) return;
      unpin(dma, at);
    }
  }

  /**
   * @throws EINVAL where nothing is mapped
   * @throws EPERM in a mapping that may not be read, or whose process has ended
   * @throws EFAULT when the memory cannot be had
   */
  dmaRead(iova: bigint, length: number, target = Buffer.allocUnsafe(length)): Buffer {
    this.#chunks(iova, length, IOMMU_READ, (dma, vaddr, done, chunk) => {
      const view = dma.memory.view?.(vaddr, chunk, false);
      target.set(view ?? dma.memory.read(vaddr, chunk), done);
    });
    return target;
  }

  /** Same errors; EPERM also in a mapping that may not be written. What precedes an error is written. */
  dmaWrite(iova: bigint, bytes: Uint8Array): void {
    this.#chunks(iova, bytes.length, IOMMU_READ | IOMMU_WRITE, (dma, vaddr, done, chunk) => {
      dma.memory.write(vaddr, bytes.subarray(done, done + chunk));
      if (dma.dirty) markDirty(dma, u64(iova + BigInt(done)), BigInt(chunk));
    });
  }

  /** Calls `copy` for the part of each mapping that a range consists of. */
  #chunks(
    iova: bigint,
    length: number,
    prot: number,
    copy: (dma: Type1Dma, vaddr: bigint, done: number, chunk: number) => void,
  ): void {
    for (let done = 0; done < length; ) {
      const at = u64(iova + BigInt(done));
      const dma = this.iommu.mappings.find(at, 1n) ?? fail(Errno.EINVAL);
      if ((dma.prot & prot) !== prot || dma.memory.gone) fail(Errno.EPERM);
      const offset = at - dma.iova;
      const left = dma.size - offset;
      const chunk = left < BigInt(length - done) ? Number(left) : length - done;
      copy(dma, u64(dma.vaddr + offset), done, chunk);
      done += chunk;
    }
  }
}
