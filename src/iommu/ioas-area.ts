/**
 * A mapping of an IOAS (`struct iopt_area`): a range of IOVAs, and the piece of user memory that it leads to.
 * @module
 */

import { Interval } from '../lib/interval-map.js';
import { IOMMU_READ, IOMMU_WRITE } from './backend.js';
import type { IoasPages } from './ioas-pages.js';
import { PAGE_SIZE_64 as PAGE_SIZE } from './user-page.js';

/** A piece of user memory that is going to be mapped. It holds a reference to the pages. */
export interface PagesSlice {
  readonly pages: IoasPages;
  /** Where in the pages it begins. */
  readonly startByte: bigint;
  readonly length: bigint;
}

export class IoasArea extends Interval<IoasArea> {
  /** Accesses of devices that hold pages of the area. */
  accesses = 0;
  /** Being unmapped: no device may hold more of it. */
  preventAccess = false;

  constructor(
    iova: bigint,
    last: bigint,
    readonly pages: IoasPages,
    /** Where in the pages the area begins. */
    readonly startByte: bigint,
    /** IOMMU_READ and IOMMU_WRITE. */
    readonly prot: number,
  ) {
    super(iova, last);
  }

  get length(): bigint {
    return this.last - this.start + 1n;
  }

  /** Where in the pages an IOVA leads to. */
  byteOf(iova: bigint): bigint {
    return this.startByte + (iova - this.start);
  }

  /** The number of the page that an IOVA leads to. */
  pageOf(iova: bigint): number {
    return Number(this.byteOf(iova) / PAGE_SIZE);
  }

  /** Whether IOVA, length and place in memory are all multiples of an alignment. */
  isAligned(alignment: bigint): boolean {
    return ((this.start | this.length | this.startByte) & (alignment - 1n)) === 0n;
  }

  /** A line for the ledger: IOVA, length, address, what a device may do, pages held. */
  override toString(): string {
    const hex = (value: bigint) => `0x${value.toString(16)}`;
    const { start, length, pages, startByte, prot } = this;
    const may = `${prot & IOMMU_READ ? 'r' : '-'}${prot & IOMMU_WRITE ? 'w' : '-'}`;
    const pinned = pages.heldBetween(this.pageOf(start), this.pageOf(this.last));
    return `iova=${hex(start)} length=${hex(length)} vaddr=${hex(pages.address + startByte)} prot=${may} pinned=${pinned}`;
  }
}
