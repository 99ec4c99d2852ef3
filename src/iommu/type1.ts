/**
 * The type1 IOMMU backend (drivers/vfio/vfio_iommu_type1.c): what user space mapped into a container, and what devices
 * without an IOMMU of their own reach through it.
 *
 * Modelled: version 1 and 2, mapping, unmapping, pins, dirty tracking. Every group here is one of an emulated device, so
 * there is no domain: a mapping pins nothing, any IOVA can be mapped, and addresses of user space cannot be taken back
 * (VADDR). Where the kernel would stop with BUG because a driver does not unpin, its pins are taken and it is said so in
 * the log.
 * @module
 */

import type { Caller, UserMemory, UserPointer } from '../base/file.js';
import type { KernelLog } from '../base/printk.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  type DirtyBitmap,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1_NESTING_IOMMU,
  VFIO_TYPE1v2_IOMMU,
} from '../uapi/vfio-iommu.js';
import { type Dma, type DmaUser, IOMMU_READ, IOMMU_WRITE, type VfioIommu } from './backend.js';
import type { IommuGroup } from './group.js';
import { DmaList, Type1Dma, u64 } from './type1-dma.js';
import { trackDirty, updateUserBitmap } from './type1-dirty.js';
import { type1CheckExtension, type1Ioctl } from './type1-ioctl.js';
import { releasePins, Type1DeviceDma } from './type1-pin.js';
import { PAGE_SIZE_64 } from './user-page.js';

const U64_MAX = 0xffff_ffff_ffff_ffffn;
/** How often devices are asked to unpin in vain. */
const MAX_RETRIES = 10;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};
const unaligned = (value: bigint): boolean => value % PAGE_SIZE_64 !== 0n;

/** What a container unmaps. */
export interface Unmap {
  iova: bigint;
  size: bigint;
  all: boolean;
  vaddr: boolean;
  /** Where the dirty pages go, if they are asked for. */
  bitmap: DirtyBitmap | undefined;
}

export class Type1Iommu implements VfioIommu {
  /** Version 2: a range that is unmapped must not cut mappings, and devices may pin. */
  readonly v2: boolean;
  readonly mappings = new DmaList();
  /** Mappings that may still be made. */
  dmaAvail: number;
  dirtyTracking = false;
  readonly groups = new Set<IommuGroup>();
  /** Open devices that may pin, the newest first. */
  devices: readonly DmaUser[] = [];

  /**
   * @param entryLimit the module's parameter dma_entry_limit
   * @throws EINVAL for a type that is not type1's
   */
  constructor(
    type: number,
    entryLimit: number,
    readonly log: KernelLog,
  ) {
    if (![VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_NESTING_IOMMU].includes(type)) fail(Errno.EINVAL);
    this.v2 = type !== VFIO_TYPE1_IOMMU;
    this.dmaAvail = entryLimit;
  }

  ioctl(request: number, arg: UserPointer, caller: Caller): number {
    return type1Ioctl(this, request, arg, caller.memory);
  }

  checkExtension(extension: number): number {
    return type1CheckExtension(extension, this);
  }

  /**
   * Maps memory (`vfio_dma_do_map`).
   * @param prot IOMMU_READ, IOMMU_WRITE; 0 to give the mapping at `iova` another address (VFIO_DMA_MAP_FLAG_VADDR)
   * @throws EINVAL for no size, a size or address that is no multiple of a page, a range that wraps
   * @throws EEXIST over another mapping; ENOSPC beyond the limit; ENOMEM beyond what the user may have kept
   * @throws ENOENT, EINVAL for another address: nothing is mapped there, or its address was not taken back
   */
  map(memory: UserMemory, iova: bigint, size: bigint, vaddr: bigint, prot: number): void {
    if (size === 0n || unaligned(size | iova | vaddr)) fail(Errno.EINVAL);
    if (u64(iova + size - 1n) < iova || u64(vaddr + size - 1n) < vaddr) fail(Errno.EINVAL);
    const known = this.mappings.find(iova, size);
    if (prot === 0) fail(known ? Errno.EINVAL : Errno.ENOENT);
    if (known) fail(Errno.EEXIST);
    if (this.dmaAvail === 0) fail(Errno.ENOSPC);
    memory.charge?.(1);
    const dma = new Type1Dma(iova, size, vaddr, prot, memory);
    try {
      if (this.dirtyTracking) trackDirty(dma);
    } catch (error) {
      memory.charge?.(-1);
      throw error;
    }
    this.dmaAvail--;
    this.mappings.link(dma);
  }

  /**
   * Unmaps every mapping in a range (`vfio_dma_do_unmap`), after the devices that pinned pages of it have unpinned them.
   * @returns the bytes that were unmapped
   * @throws EBUSY to take addresses back: that is not for emulated devices
   * @throws EINVAL for an unaligned or empty range, one that wraps or, in version 2, cuts a mapping; for all with a range;
   *   for dirty pages while they are not tracked
   * @throws EFAULT for a bitmap that cannot be written
   */
  unmap(memory: UserMemory, { iova, size, all, vaddr, bitmap }: Unmap): bigint {
    if (vaddr) fail(Errno.EBUSY);
    if (unaligned(iova)) fail(Errno.EINVAL);
    if (all ? iova !== 0n || size !== 0n : size === 0n || unaligned(size) || u64(iova + size - 1n) < iova)
      fail(Errno.EINVAL);
    if (bitmap && (!this.dirtyTracking || bitmap.pgsize !== PAGE_SIZE_64)) fail(Errno.EINVAL);
    const length = all ? U64_MAX : size;
    const end = u64(iova + length);
    let unmapped = 0n;
    let [asked, retries]: [Type1Dma | undefined, number] = [undefined, 0];
    search: for (;;) {
      if (this.v2 && !all && this.mappings.isCutBy(iova, size)) fail(Errno.EINVAL);
      let dma = this.mappings.firstIn(iova, length);
      while (dma && dma.iova < end) {
        // Version 1 may have split what was mapped: a range that begins inside of a mapping unmaps nothing.
        if (!this.v2 && iova > dma.iova) break;
        if (dma.pins.size > 0) {
          retries = dma === asked ? retries + 1 : 0;
          asked = dma;
          if (retries > MAX_RETRIES) this.#takePins(dma);
          else for (const { dmaUnmap } of this.devices) dmaUnmap?.(dma.iova, dma.size);
          // Devices may have changed anything.
          continue search;
        }
        if (bitmap) updateUserBitmap(memory, bitmap.data, dma, iova);
        unmapped += dma.size;
        const next = this.mappings.next(dma);
        this.#remove(dma);
        dma = next;
      }
      return unmapped;
    }
  }

  #remove(dma: Type1Dma): void {
    this.mappings.unlink(dma);
    dma.memory.charge?.(-1);
    this.dmaAvail++;
  }

  #takePins(dma: Type1Dma): void {
    this.log.print(`vfio_iommu_type1: ${dma.pins.size} pages at 0x${dma.iova.toString(16)} are still pinned`);
    releasePins(dma);
  }

  /** @throws EINVAL when one of the mappings has too many pages */
  startDirtyTracking(): void {
    if (this.dirtyTracking) return;
    try {
      for (const dma of this.mappings) trackDirty(dma);
    } catch (error) {
      this.stopDirtyTracking();
      throw error;
    }
    this.dirtyTracking = true;
  }

  stopDirtyTracking(): void {
    for (const dma of this.mappings) dma.dirty = undefined;
    this.dirtyTracking = false;
  }

  /**
   * Copies the dirty pages of a range and forgets them, but for those that are pinned.
   * @throws EINVAL for a range that cuts a mapping; EFAULT
   */
  getDirty(memory: UserMemory, iova: bigint, size: bigint, data: bigint): void {
    if (this.mappings.isCutBy(iova, size)) fail(Errno.EINVAL);
    const end = u64(iova + size);
    let dma = this.mappings.firstIn(iova, size);
    for (; dma && dma.iova < end; dma = this.mappings.next(dma)) {
      updateUserBitmap(memory, data, dma, iova);
      trackDirty(dma);
    }
  }

  /** @throws EINVAL for one that is attached */
  attachGroup(group: IommuGroup): void {
    if (this.groups.has(group)) fail(Errno.EINVAL);
    this.groups.add(group);
  }

  detachGroup(group: IommuGroup): void {
    if (!this.groups.delete(group) || this.groups.size > 0) return;
    for (let dma = this.mappings.first(); dma; dma = this.mappings.first()) {
      if (dma.pins.size > 0) this.#takePins(dma);
      this.#remove(dma);
    }
  }

  registerDevice(user: DmaUser): Dma {
    if (user.dmaUnmap) this.devices = [user, ...this.devices];
    return new Type1DeviceDma(this);
  }

  unregisterDevice(user: DmaUser): void {
    this.devices = this.devices.filter((device) => device !== user);
  }

  ledger(): string {
    const lines = [`vfio_iommu_type1${this.v2 ? ' v2' : ''}\n`];
    let [size, pinned] = [0n, 0];
    for (const dma of this.mappings) {
      const prot = `${dma.prot & IOMMU_READ ? 'r' : '-'}${dma.prot & IOMMU_WRITE ? 'w' : '-'}`;
      const range = `iova 0x${dma.iova.toString(16)} size 0x${dma.size.toString(16)}`;
      lines.push(`${range} vaddr 0x${dma.vaddr.toString(16)} ${prot} pinned ${dma.pins.size}\n`);
      size += dma.size;
      pinned += dma.pins.size;
    }
    lines.push(`mappings ${this.mappings.size} size 0x${size.toString(16)} pinned ${pinned}\n`);
    return lines.join('');
  }

  release(): void {
    for (const group of [...this.groups]) this.detachGroup(group);
  }
}
