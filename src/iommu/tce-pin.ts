/**
 * What devices without an IOMMU do through TCE windows: pin, unpin and copy. Mapped memory is counted as locked already,
 * so a pin counts nothing.
 * @module
 */

import type { KernelLog } from '../base/printk.js';
import { Errno, KernelError } from '../lib/errno.js';
import { type Dma, type DmaUser, IOMMU_READ, IOMMU_WRITE, type PinnedPage } from './backend.js';
import type { TceIommu } from './tce.js';
import type { Tce } from './tce-table.js';
import { PAGE_SIZE, PAGE_SIZE_64, pinUserPage } from './user-page.js';

/** How often devices are asked to unpin in vain. */
const MAX_RETRIES = 10;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/** What is pinned in a container's windows. */
export class TcePins {
  readonly #pins = new Map<bigint, { readonly page: PinnedPage; references: number }>();
  #devices: readonly DmaUser[] = [];

  constructor(
    readonly iommu: TceIommu,
    readonly log: KernelLog,
  ) {}

  get size(): number {
    return this.#pins.size;
  }

  addDevice(user: DmaUser): void {
    if (user.dmaUnmap) this.#devices = [user, ...this.#devices];
  }

  removeDevice(user: DmaUser): void {
    this.#devices = this.#devices.filter((device) => device !== user);
  }

  /** @throws EINVAL while no device is open that can unpin */
  assertUnpinnable(): void {
    if (this.#devices.length === 0) fail(Errno.EINVAL);
  }

  /** @param make pins the page, if it is not pinned yet */
  pin(iova: bigint, make: () => PinnedPage): PinnedPage {
    const known = this.#pins.get(iova);
    if (known) {
      known.references++;
      return known.page;
    }
    const page = make();
    this.#pins.set(iova, { page, references: 1 });
    return page;
  }

  unpin(iova: bigint): void {
    const known = this.#pins.get(iova);
    if (known && --known.references === 0) this.#pins.delete(iova);
  }

  countIn(iova: bigint, size: bigint): number {
    return this.#pinnedIn(iova, size).length;
  }

  #pinnedIn(iova: bigint, size: bigint): bigint[] {
    return [...this.#pins.keys()].filter((page) => page >= iova && page < iova + size);
  }

  /** A range goes: devices unpin what they pinned in it. */
  unmapped(iova: bigint, size: bigint): void {
    if (this.#pins.size === 0) return;
    for (let retries = 0; this.countIn(iova, size) > 0; retries++) {
      if (retries > MAX_RETRIES) this.#takePins(iova, size);
      else for (const { dmaUnmap } of this.#devices) dmaUnmap?.(iova, size);
    }
  }

  #takePins(iova: bigint, size: bigint): void {
    const pages = this.#pinnedIn(iova, size);
    this.log.print(`vfio_iommu_spapr_tce: ${pages.length} pages at 0x${iova.toString(16)} are still pinned`);
    for (const page of pages) this.#pins.delete(page);
  }
}

export class TceDeviceDma implements Dma {
  constructor(readonly iommu: TceIommu) {}

  /**
   * @throws EINVAL while no device is open that can unpin; for a page that is not mapped
   * @throws EPERM for access that the mapping does not grant; EFAULT, ENODEV
   */
  pinPages(iova: bigint, count: number, prot: number): PinnedPage[] {
    const { pins, memory } = this.iommu;
    pins.assertUnpinnable();
    const pages: PinnedPage[] = [];
    try {
      while (pages.length < count) {
        const at = pageOf(iova, pages.length);
        const [entry, vaddr] = this.#translate(at);
        if ((entry.prot & prot) !== prot) fail(Errno.EPERM);
        const make = () =>
          entry.memory?.pageAt(vaddr) ?? pinUserPage(memory!, vaddr, (entry.prot & IOMMU_WRITE) !== 0);
        pages.push(pins.pin(at, make));
      }
    } catch (error) {
      this.unpinPages(iova, pages.length);
      throw error;
    }
    return pages;
  }

  unpinPages(iova: bigint, count: number): void {
    for (let i = 0; i < count; i++) this.iommu.pins.unpin(pageOf(iova, i));
  }

  /** @throws EINVAL where nothing is mapped; EPERM for what may not be read; EFAULT */
  dmaRead(iova: bigint, length: number, target = Buffer.allocUnsafe(length)): Buffer {
    this.#chunks(iova, length, IOMMU_READ, (vaddr, done, chunk) =>
      this.iommu.memory!.readInto(vaddr, target.subarray(done, done + chunk)),
    );
    return target;
  }

  /** Same errors; EPERM also for what may not be written. */
  dmaWrite(iova: bigint, bytes: Uint8Array): void {
    this.#chunks(iova, bytes.length, IOMMU_READ | IOMMU_WRITE, (vaddr, done, chunk) =>
      this.iommu.memory!.write(vaddr, bytes.subarray(done, done + chunk)),
    );
  }

  #chunks(
    iova: bigint,
    length: number,
    prot: number,
    copy: (vaddr: bigint, done: number, chunk: number) => void,
  ): void {
    for (let done = 0; done < length; ) {
      const at = BigInt.asUintN(64, iova + BigInt(done));
      const [entry, vaddr] = this.#translate(at);
      if ((entry.prot & prot) !== prot || this.iommu.memory?.gone) fail(Errno.EPERM);
      const chunk = Math.min(PAGE_SIZE - Number(at % PAGE_SIZE_64), length - done);
      copy(vaddr, done, chunk);
      done += chunk;
    }
  }

  /** The entry for an address, and where that leads. */
  #translate(iova: bigint): [Tce, bigint] {
    const table = this.iommu.findTable(iova);
    const entry = table?.entries.get(table.indexOf(iova));
    if (!table || !entry) return fail(Errno.EINVAL);
    return [entry, entry.vaddr + (iova % table.pageSize)];
  }
}

function pageOf(iova: bigint, index: number): bigint {
  return BigInt.asUintN(64, (iova & -PAGE_SIZE_64) + BigInt(index) * PAGE_SIZE_64);
}
