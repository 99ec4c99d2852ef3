/**
 * The sPAPR TCE backend (drivers/vfio/vfio_iommu_spapr_tce.c) of POWER machines: DMA goes through windows, each with a
 * table of its pages. In version 1 a container is enabled, which counts its whole window as locked; in version 2 memory
 * is registered before it is mapped, and windows can be made and removed.
 *
 * Differs: the kernel refuses groups of emulated devices here. This backend takes them, with the windows of a host
 * bridge, and offers them the pair of pin and unpin as a backend may. Memory that was unregistered while it was mapped
 * stays until it is not, rather than for ever; pages are of 4 KB.
 * @module
 */

import type { Caller, UserMemory, UserPointer } from '../base/file.js';
import type { KernelLog } from '../base/printk.js';
import { Errno, KernelError } from '../lib/errno.js';
import { VFIO_SPAPR_TCE_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU } from '../uapi/vfio-iommu.js';
import { type Dma, type DmaUser, IOMMU_WRITE, type VfioIommu } from './backend.js';
import type { IommuGroup } from './group.js';
import { tceCheckExtension, tceIoctl } from './tce-ioctl.js';
import { tceLedger } from './tce-ledger.js';
import type { PreregisteredMemory, Preregistrations } from './tce-memory.js';
import { TceDeviceDma, TcePins } from './tce-pin.js';
import { platform, type Tce, TceTable } from './tce-table.js';
import { faultInUserPages, PAGE_SIZE_64, pinUserPage } from './user-page.js';

const DEFAULT_PAGE_SHIFT = 12;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};
const unaligned = (value: bigint): boolean => value % PAGE_SIZE_64 !== 0n;

export class TceIommu implements VfioIommu {
  readonly v2: boolean;
  enabled = false;
  /** The one process that may use the container, once one has. */
  memory: UserMemory | undefined;
  readonly groups = new Set<IommuGroup>();
  readonly tables: (TceTable | undefined)[] = Array.from({ length: platform.windows }, () => undefined);
  /** Memory that this container registered. */
  readonly registered = new Set<PreregisteredMemory>();
  /** The window that is there without being asked for is made when it is needed first. */
  defaultWindowPending = false;
  readonly pins: TcePins;
  #lockedPages = 0;

  /** @throws EINVAL for a type that is not this backend's */
  constructor(
    type: number,
    readonly preregistrations: Preregistrations,
    log: KernelLog,
  ) {
    if (type !== VFIO_SPAPR_TCE_IOMMU && type !== VFIO_SPAPR_TCE_v2_IOMMU) fail(Errno.EINVAL);
    this.v2 = type === VFIO_SPAPR_TCE_v2_IOMMU;
    this.pins = new TcePins(this, log);
  }

  /** @throws EPERM for another process than the first that used the container */
  ioctl(request: number, arg: UserPointer, caller: Caller): number {
    if (this.memory && this.memory !== caller.memory) fail(Errno.EPERM);
    return tceIoctl(this, request, arg, caller.memory);
  }

  checkExtension(extension: number): number {
    return tceCheckExtension(extension);
  }

  /** From now on the container is this process's; {@link ioctl} has let no other in. */
  setMemory(memory: UserMemory): void {
    this.memory = memory;
  }

  /** @throws EBUSY when it is enabled; ENODEV without a group; ENOMEM beyond the limit of locked memory */
  enable(memory: UserMemory): void {
    if (this.enabled) fail(Errno.EBUSY);
    if (this.groups.size === 0) fail(Errno.ENODEV);
    this.setMemory(memory);
    const pages = platform.dma32WindowSize / Number(PAGE_SIZE_64);
    memory.chargeLocked(pages);
    this.#lockedPages = pages;
    this.enabled = true;
  }

  disable(): void {
    if (!this.enabled) return;
    this.enabled = false;
    this.memory?.chargeLocked(-this.#lockedPages);
    this.#lockedPages = 0;
  }

  /**
   * @throws EINVAL for a range of broken pages, one that wraps, or one that overlaps another
   * @throws EBUSY when the container has registered it; ENOMEM, EFAULT
   */
  registerMemory(memory: UserMemory, vaddr: bigint, size: bigint): void {
    if (unaligned(vaddr | size) || BigInt.asUintN(64, vaddr + size) < vaddr) fail(Errno.EINVAL);
    const pages = Number(size / PAGE_SIZE_64);
    const known = this.preregistrations.find(memory, vaddr, pages);
    if (known && this.registered.has(known)) fail(Errno.EBUSY);
    const region = known ?? this.preregistrations.register(memory, vaddr, pages);
    region.used++;
    this.registered.add(region);
    this.enabled = true;
  }

  /** @throws EINVAL for a range of broken pages; ENOENT for one that the container has not registered */
  unregisterMemory(memory: UserMemory, vaddr: bigint, size: bigint): void {
    if (unaligned(vaddr | size)) fail(Errno.EINVAL);
    const region = this.preregistrations.find(memory, vaddr, Number(size / PAGE_SIZE_64));
    if (!region || !this.registered.has(region)) throw new KernelError(Errno.ENOENT);
    this.#unregister(memory, region);
  }

  #unregister(memory: UserMemory, region: PreregisteredMemory): void {
    this.registered.delete(region);
    region.used--;
    this.preregistrations.putUnused(memory, region);
  }

  /**
   * Makes a window (`tce_iommu_create_window`).
   * @returns its first address
   * @throws ENOSPC when there are as many as can be; EINVAL for pages or a size that cannot be; ENOMEM
   */
  createWindow(memory: UserMemory, pageShift: number, windowSize: bigint, levels: number): bigint {
    const number = this.tables.indexOf(undefined);
    if (number < 0) fail(Errno.ENOSPC);
    if (!platform.pageShifts.some((shift) => shift === pageShift)) fail(Errno.EINVAL);
    const table = new TceTable(number, pageShift, windowSize, levels);
    memory.chargeLocked(table.locked);
    this.tables[number] = table;
    return table.start;
  }

  /** Makes the default window, if that is still to be done. Same errors as {@link createWindow}. */
  createDefaultWindow(memory: UserMemory): void {
    if (!this.defaultWindowPending) return;
    this.createWindow(memory, DEFAULT_PAGE_SHIFT, BigInt(platform.dma32WindowSize), 1);
    this.defaultWindowPending = false;
  }

  /** @throws EINVAL for an address that no window has */
  removeWindow(start: bigint): void {
    if (this.defaultWindowPending && start === 0n) {
      this.defaultWindowPending = false;
      return;
    }
    this.#freeTable(this.findTable(start) ?? fail(Errno.EINVAL));
  }

  #freeTable(table: TceTable): void {
    this.clear(table, 0, table.size);
    this.tables[this.tables.indexOf(table)] = undefined;
    this.memory?.chargeLocked(-table.locked);
  }

  findTable(iova: bigint): TceTable | undefined {
    return this.tables.find((table) => table?.contains(iova));
  }

  /**
   * Fills entries of a table, in place of what was there (`tce_iommu_build`).
   * @throws EFAULT, EINVAL for memory that is not there, or in version 2 not registered
   * @throws EPERM for memory in smaller pages than the table's; EINVAL beyond the window; what was filled is cleared
   */
  build(
    memory: UserMemory,
    table: TceTable,
    first: number,
    vaddr: bigint,
    count: number,
    prot: number,
  ): void {
    if (this.v2 && !table.hasUserView) {
      memory.chargeLocked(table.userViewPages);
      table.locked += table.userViewPages;
      table.hasUserView = true;
    }
    this.pins.unmapped(table.iovaOf(first), BigInt(count) * table.pageSize);
    const present =
      !this.v2 && faultInUserPages(memory, vaddr, Number((BigInt(count) * table.pageSize) / PAGE_SIZE_64));
    for (let i = 0; i < count; i++) {
      try {
        const entry = this.#entry(memory, table, vaddr + BigInt(i) * table.pageSize, prot, present);
        if (first + i >= table.size) fail(Errno.EINVAL);
        this.#clearEntry(table, first + i);
        memory.charge?.(1);
        table.entries.set(first + i, entry);
        if (entry.memory) entry.memory.mapped++;
      } catch (error) {
        this.clear(table, first, i);
        throw error;
      }
    }
  }

  #entry(memory: UserMemory, table: TceTable, vaddr: bigint, prot: number, present: boolean): Tce {
    const region = this.v2 ? this.preregistrations.lookup(memory, vaddr, table.pageSize) : undefined;
    if (this.v2 && !region) fail(Errno.EINVAL);
    const page = region ? undefined : pinUserPage(memory, vaddr, (prot & IOMMU_WRITE) !== 0, present);
    // Memory in one piece counts as one large page.
    const large = table.pageSize > PAGE_SIZE_64;
    if (large && !memory.view?.(vaddr, Number(table.pageSize), false)) fail(Errno.EPERM);
    return { vaddr, prot, page, memory: region };
  }

  /** Empties entries; devices that pinned their pages unpin them first. */
  clear(table: TceTable, first: number, count: number): void {
    this.pins.unmapped(table.iovaOf(first), BigInt(count) * table.pageSize);
    const last = first + count;
    if (count <= table.entries.size) for (let i = first; i < last; i++) this.#clearEntry(table, i);
    else for (const i of [...table.entries.keys()]) if (i >= first && i < last) this.#clearEntry(table, i);
  }

  #clearEntry(table: TceTable, index: number): void {
    const entry = table.entries.get(index);
    if (!entry) return;
    table.entries.delete(index);
    this.memory!.charge?.(-1);
    if (!entry.memory) return;
    entry.memory.mapped--;
    this.preregistrations.putUnused(this.memory!, entry.memory);
  }

  /** @throws EBUSY for a group that is attached, and in version 1 for a second one */
  attachGroup(group: IommuGroup): void {
    if (this.groups.has(group) || (!this.v2 && this.groups.size > 0)) fail(Errno.EBUSY);
    if (this.groups.size === 0 && !this.tables[0]) this.defaultWindowPending = true;
    this.groups.add(group);
  }

  detachGroup(group: IommuGroup): void {
    this.groups.delete(group);
  }

  registerDevice(user: DmaUser): Dma {
    this.pins.addDevice(user);
    return new TceDeviceDma(this);
  }

  unregisterDevice(user: DmaUser): void {
    this.pins.removeDevice(user);
  }

  ledger(): string {
    return tceLedger(this);
  }

  release(): void {
    this.groups.clear();
    for (const table of this.tables) if (table) this.#freeTable(table);
    if (this.memory) for (const region of this.registered) this.#unregister(this.memory, region);
    this.disable();
  }
}
