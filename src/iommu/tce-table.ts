/**
 * TCE tables (`struct iommu_table` of powerpc, arch/powerpc/platforms/powernv/pci-ioda-tce.c): a DMA window, and for each
 * of its pages where it leads. What a platform can do is that of a POWER9 host bridge: a window of 2 GB from 0 and one
 * far above, in pages of 4 KB to 16 MB.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { PinnedPage } from './backend.js';
import type { PreregisteredMemory } from './tce-memory.js';
import { PAGE_SIZE_64 } from './user-page.js';

/** What the platform offers (`struct iommu_table_group`). */
export const platform = {
  dma32WindowStart: 0,
  dma32WindowSize: 0x8000_0000,
  pageShifts: [12, 16, 21, 24],
  windows: 2,
  levels: 5,
  /** Where each window begins. */
  starts: [0n, 1n << 59n],
} as const;

/** The page sizes as a bitmap. */
export const platformPgsizes: bigint = platform.pageShifts.reduce(
  (bits, shift) => bits | (1n << BigInt(shift)),
  0n,
);

const PAGE_SHIFT = 12;
/** Bytes of an entry, as a shift. */
const ENTRY_SHIFT = 3;
/** Address bits that a table can translate. */
const MAX_BITS = 55;

/** An entry of a table. */
export interface Tce {
  readonly vaddr: bigint;
  /** IOMMU_READ, IOMMU_WRITE */
  readonly prot: number;
  /** Version 1: the page is pinned while the entry is there. */
  readonly page: PinnedPage | undefined;
  /** Version 2: the memory that it was registered with. */
  readonly memory: PreregisteredMemory | undefined;
}

const log2 = (value: bigint): number => value.toString(2).length - 1;

/**
 * Bytes that a table takes, with the copy that is kept for user addresses.
 * @throws EINVAL for a size that is no power of two, or levels that cannot be
 */
export function tableBytes(pageShift: number, windowSize: bigint, levels: number): number {
  if (levels === 0 || levels > platform.levels || windowSize === 0n || windowSize & (windowSize - 1n))
    throw new KernelError(Errno.EINVAL);
  const entriesShift = log2(windowSize) - pageShift;
  if (entriesShift < 0) throw new KernelError(Errno.EINVAL);
  const levelShift = Math.max(Math.ceil(entriesShift / levels) + ENTRY_SHIFT, PAGE_SHIFT);
  if ((levelShift - ENTRY_SHIFT) * levels + pageShift >= MAX_BITS) throw new KernelError(Errno.EINVAL);
  const direct = 2 ** levelShift;
  let [bytes, size] = [0, 2 ** (entriesShift + ENTRY_SHIFT)];
  for (let level = levels; level > 0; level--) {
    bytes += Math.ceil(size / direct) * direct;
    size = Math.max((size / direct) * 2 ** ENTRY_SHIFT, direct);
  }
  return 2 * bytes;
}

export class TceTable {
  readonly start: bigint;
  readonly pageSize: bigint;
  /** Pages of the window. */
  readonly size: number;
  /** By the number of the page in the window. */
  readonly entries = new Map<number, Tce>();
  /** Pages that count as locked: the table, and from the first mapping on its copy of user addresses. */
  locked: number;
  hasUserView: boolean;

  /** @param number of the window; @throws as {@link tableBytes} */
  constructor(
    number: number,
    readonly pageShift: number,
    windowSize: bigint,
    levels: number,
  ) {
    this.locked = tableBytes(pageShift, windowSize, levels) / Number(PAGE_SIZE_64);
    this.start = platform.starts[number]!;
    this.pageSize = 1n << BigInt(pageShift);
    this.size = Number(windowSize / this.pageSize);
    this.hasUserView = levels > 1;
  }

  /** Pages of the copy of user addresses. */
  get userViewPages(): number {
    return Math.ceil((this.size * 2 ** ENTRY_SHIFT) / Number(PAGE_SIZE_64));
  }

  contains(iova: bigint): boolean {
    return iova >= this.start && this.indexOf(iova) < this.size;
  }

  /** Number of the page that an address of the window is in. */
  indexOf(iova: bigint): number {
    return Number((iova - this.start) / this.pageSize);
  }

  iovaOf(index: number): bigint {
    return this.start + BigInt(index) * this.pageSize;
  }
}
