/**
 * VFIO_IOMMU_GET_INFO on an iommufd (drivers/iommu/iommufd/vfio_compat.c): the sizes of pages, and after them how many
 * mappings there may be and which IOVAs there are, as far as the caller has room.
 * @module
 */

import type { UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  encodeDmaAvailCap,
  encodeIovaRangeCap,
  INFO_CAP_NEXT,
  IOVA_RANGE_CAP_SIZE,
  iovaRangeCapSize,
} from '../uapi/vfio-info-cap.js';
import {
  encodeType1Info,
  TYPE1_INFO_MINSZ,
  TYPE1_INFO_SIZE,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
} from '../uapi/vfio-iommu.js';
import type { IommufdCtx } from './iommufd-ctx.js';

/** Every power of two from the size of a page. */
const PAGE_SIZES = 0xffff_ffff_ffff_f000n;
/** There is no limit to the number of mappings but memory. */
const DMA_AVAIL = 0xffff_ffff;

const align = (size: number): number => (size + 7) & ~7;

/** @throws EFAULT; EINVAL for a structure that is too small; ENODEV without an address space */
export function vfioIommuGetInfo(ctx: IommufdCtx, arg: UserPointer): number {
  const argsz = arg.read(TYPE1_INFO_MINSZ).readUInt32LE(0);
  if (argsz < TYPE1_INFO_MINSZ) throw new KernelError(Errno.EINVAL);
  const { ranges } = ctx.requireCompatIoas().table;
  const first = TYPE1_INFO_SIZE;
  const dmaAvail = encodeDmaAvailCap(DMA_AVAIL);
  if (argsz >= first + dmaAvail.length) arg.write(dmaAvail, first);
  const second = first + align(dmaAvail.length);
  const iovaRanges = encodeIovaRangeCap(ranges);
  // Ranges are written as far as there is room; the header that counts them only after all of them.
  for (let n = 0; n < ranges.length && argsz >= second + iovaRangeCapSize(n + 1); n++) {
    const at = iovaRangeCapSize(n);
    arg.write(iovaRanges.subarray(at, iovaRangeCapSize(n + 1)), second + at);
  }
  const end = second + align(iovaRanges.length);
  if (argsz >= end) arg.write(iovaRanges.subarray(0, IOVA_RANGE_CAP_SIZE), second);
  if (argsz >= second) {
    const next = Buffer.alloc(4);
    next.writeUInt32LE(second);
    arg.write(next, first + INFO_CAP_NEXT);
  }
  const info = encodeType1Info({
    argsz: end,
    flags: VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
    iovaPgsizes: PAGE_SIZES,
    capOffset: argsz >= end ? first : 0,
  });
  arg.write(info.subarray(0, Math.min(argsz, info.length)));
  return 0;
}
