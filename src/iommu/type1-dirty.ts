/**
 * Dirty page tracking of type1 (drivers/vfio/vfio_iommu_type1.c). Devices without an IOMMU write through VFIO only, so
 * the dirty pages of a mapping are those that are pinned and those that were written with `vfio_dma_rw`.
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { DirtyBitmap } from '../uapi/vfio-iommu.js';
import { type Type1Dma, u64 } from './type1-dma.js';
import { PAGE_SIZE_64 } from './user-page.js';

/** Most pages that one bitmap covers. */
const MAX_PAGES = 0x7fff_ffffn;
/** Bytes of a bitmap, a multiple of 8. */
const bitmapBytes = (pages: bigint): bigint => (u64(pages + 63n) >> 6n) * 8n;
export const MAX_BITMAP_BYTES = bitmapBytes(MAX_PAGES);

/** Highest address that user space may use. */
const USER_PTR_MAX = 0x7fff_ffff_f000n;
/** Bytes of a bitmap that are copied at once. */
const PIECE = 1 << 20;

/** Number of the lowest bit that is set (`__ffs`); 0 for none. */
function lowestBit(value: bigint): bigint {
  let bit = 0n;
  if (value !== 0n) while (((value >> bit) & 1n) === 0n) bit++;
  return bit;
}

/**
 * Checks the bitmap that a caller offers for a range.
 * @param size bytes of the range
 * @throws EINVAL when it is not in user space, or too small or too large
 */
export function verifyBitmap({ pgsize, size: bytes, data }: DirtyBitmap, size: bigint): void {
  const pages = size >> lowestBit(pgsize);
  if (
    u64(data + bytes) < data ||
    u64(data + bytes) > USER_PTR_MAX ||
    pages === 0n ||
    bytes === 0n ||
    bytes > MAX_BITMAP_BYTES ||
    bytes < bitmapBytes(pages)
  )
    throw new KernelError(Errno.EINVAL);
}

/**
 * Starts with a mapping's pinned pages (`vfio_dma_populate_bitmap`).
 * @throws EINVAL for a mapping with too many pages
 */
export function trackDirty(dma: Type1Dma): void {
  if (dma.size / PAGE_SIZE_64 > MAX_PAGES) throw new KernelError(Errno.EINVAL);
  dma.dirty = new Set(dma.pins.keys());
}

/** Marks pages from the one at `iova` to the one at `iova` + `length` - 1. */
export function markDirty(dma: Type1Dma, iova: bigint, length: bigint): void {
  if (!dma.dirty) return;
  const last = Number(u64(iova + length - 1n - dma.iova) / PAGE_SIZE_64);
  for (let page = Number(u64(iova - dma.iova) / PAGE_SIZE_64); page <= last; page++) dma.dirty.add(page);
}

/**
 * Copies a mapping's bits into the bitmap of a range that begins at `base` (`update_user_bitmap`). The bits before the
 * mapping's own, in the first word that it touches, stay as they are.
 * @throws EFAULT
 */
export function updateUserBitmap(memory: UserMemory, data: bigint, dma: Type1Dma, base: bigint): void {
  const offset = u64(dma.iova - base) / PAGE_SIZE_64;
  const at = u64(data + (offset / 64n) * 8n);
  const shift = Number(offset % 64n);
  const kept = shift > 0 ? memory.read(at, 8) : Buffer.alloc(8);
  kept.writeBigUInt64LE(BigInt.asUintN(shift, kept.readBigUInt64LE()));
  const total = Number(bitmapBytes(dma.size / PAGE_SIZE_64 + BigInt(shift)));
  const pages = [...(dma.dirty ?? [])].sort((a, b) => a - b);
  let next = 0;
  for (let start = 0; start < total; start += PIECE) {
    const piece = Buffer.alloc(Math.min(PIECE, total - start));
    if (start === 0) kept.copy(piece);
    for (; next < pages.length; next++) {
      const bit = pages[next]! + shift - start * 8;
      if (bit >= piece.length * 8) break;
      piece[bit >> 3]! |= 1 << (bit & 7);
    }
    memory.write(at + BigInt(start), piece);
  }
}
