/**
 * The capabilities that iommufd appends to struct vfio_iommu_type1_info (include/uapi/linux/vfio.h). Each begins with a
 * header: id (16), version (16), and the offset of the next one from the beginning of the info (32).
 * @module
 */

import { encodeIovaRange, IOVA_RANGE_SIZE, type IovaRange } from './iommufd.js';

/** Where a capability says where the next one is. */
export const INFO_CAP_NEXT = 4;

function header(size: number, id: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt16LE(id, 0);
  bytes.writeUInt16LE(1, 2);
  return bytes;
}

/** struct vfio_iommu_type1_info_dma_avail: header, avail. */
export function encodeDmaAvailCap(avail: number): Buffer {
  const bytes = header(12, 3);
  bytes.writeUInt32LE(avail, 8);
  return bytes;
}

/** struct vfio_iommu_type1_info_cap_iova_range: header, nr_iovas, reserved, then start (64) and end (64) of each. */
export const IOVA_RANGE_CAP_SIZE = 16;

export function encodeIovaRangeCap(ranges: readonly IovaRange[]): Buffer {
  const bytes = header(IOVA_RANGE_CAP_SIZE, 1);
  bytes.writeUInt32LE(ranges.length, 8);
  return Buffer.concat([bytes, ...ranges.map(encodeIovaRange)]);
}

/** The size of that capability with so many ranges. */
export const iovaRangeCapSize = (ranges: number): number => IOVA_RANGE_CAP_SIZE + ranges * IOVA_RANGE_SIZE;
