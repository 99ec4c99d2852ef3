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
import { faultInUserPages, PAGE_SIZE, PAGE_SIZE_64, pinUserPage, ViewedPage } from './user-page.js';

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
  dma.memory.charge?.(-dma.pins.size);
  dma.pins.clear();
}

/** Pages of a mapping: `count` of them from the one at `index`. */
interface Run {
  readonly dma: Type1Dma;
  readonly index: number;
  readonly count: number;
}

/** The part of a range, from its page `done` on, that one mapping has; undefined where nothing is mapped. */
function runAt({ mappings }: Type1Iommu, iova: bigint, done: number, count: number): Run | undefined {
  const at = pageOf(iova, done);
  const dma = mappings.find(at, PAGE_SIZE_64);
  if (!dma) return undefined;
  const index = Number((at - dma.iova) / PAGE_SIZE_64);
  return { dma, index, count: Math.min(count - done, Number(dma.size / PAGE_SIZE_64) - index) };
}

/** The memory behind a run, if all of it can be pinned and reached in one piece. */
function viewOf({ memory, vaddr, prot }: Type1Dma, index: number, count: number): Buffer | undefined {
  const address = u64(vaddr + BigInt(index) * PAGE_SIZE_64);
  try {
    return memory.view?.(address, count * PAGE_SIZE, (prot & IOMMU_WRITE) !== 0);
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/** Pins the pages of a run one after the other, up to the first that cannot be. */
function pinRun({ dma, index, count }: Run, pages: PinnedPage[]): void {
  const { memory, pins, dirty, prot } = dma;
  const view = viewOf(dma, index, count);
  const present = !view && faultInUserPages(memory, u64(dma.vaddr + BigInt(index) * PAGE_SIZE_64), count);
  for (let i = 0; i < count; i++) {
    const known = pins.get(index + i);
    if (known) {
      known.references++;
      pages.push(known.page);
      continue;
    }
    const page = view
      ? new ViewedPage(view, i * PAGE_SIZE)
      : pinUserPage(
          memory,
          u64(dma.vaddr + BigInt(index + i) * PAGE_SIZE_64),
          (prot & IOMMU_WRITE) !== 0,
          present,
        );
    memory.charge?.(1);
    try {
      memory.chargeLocked(1);
    } catch (error) {
      memory.charge?.(-1);
      throw error;
    }
    pins.set(index + i, { page, references: 1 });
    dirty?.add(index + i);
    pages.push(page);
  }
}

/** A page that is not pinned stays so. */
function unpinRun({ dma: { memory, pins }, index, count }: Run): void {
  let unpinned = 0;
  for (let i = index; i < index + count; i++) {
    const known = pins.get(i);
    if (!known || --known.references > 0) continue;
    pins.delete(i);
    unpinned++;
  }
  memory.chargeLocked(-unpinned);
  memory.charge?.(-unpinned);
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
        const run = runAt(iommu, iova, pages.length, count) ?? fail(Errno.EINVAL);
        if ((run.dma.prot & prot) !== prot) fail(Errno.EPERM);
        pinRun(run, pages);
      }
    } catch (error) {
      this.unpinPages(iova, pages.length);
      throw error;
    }
    return pages;
  }

  unpinPages(iova: bigint, count: number): void {
    if (!this.iommu.v2) return;
    for (let done = 0; done < count; ) {
      const run = runAt(this.iommu, iova, done, count);
      if (!run) return;
      unpinRun(run);
      done += run.count;
    }
  }

  /**
   * @throws EINVAL where nothing is mapped
   * @throws EPERM in a mapping that may not be read, or whose process has ended
   * @throws EFAULT when the memory cannot be had
   */
  dmaRead(iova: bigint, length: number, target = Buffer.allocUnsafe(length)): Buffer {
    this.#chunks(iova, length, IOMMU_READ, (dma, vaddr, done, chunk) => {
      dma.memory.readInto(vaddr, target.subarray(done, done + chunk));
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
