/**
 * Logging of DMA (drivers/vfio/vfio_main.c, VFIO_DEVICE_FEATURE_DMA_LOGGING_*): user space names ranges, and later asks
 * which of their pages the device has written to.
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  DMA_LOGGING_CONTROL_SIZE,
  DMA_LOGGING_REPORT_SIZE,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_SET,
} from '../uapi/vfio-feature.js';
import type { VfioDevice } from './device.js';
import type { DmaRange, VfioLogOps } from './device-ops.js';
import type { FeatureRequest } from './feature-request.js';

/** As many interval tree nodes as fit a page. */
const MAX_RANGES = 85;
const RANGE_SIZE = 16;
const SMALLEST_PAGE = 4096n;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/** @throws EOVERFLOW when a range wraps around */
function checkedEnd(iova: bigint, length: bigint): bigint {
  return iova + length > U64_MAX ? fail(Errno.EOVERFLOW) : iova + length;
}

/**
 * Begins to log.
 * @throws EFAULT; EINVAL for no ranges, for one that is not aligned to the page size or overlaps another; E2BIG for more
 *   than 85; EOVERFLOW; what the driver says
 */
export function startLogging(
  vdev: VfioDevice,
  ops: VfioLogOps,
  request: FeatureRequest,
  memory: UserMemory,
): void {
  if (!request.proceeds(VFIO_DEVICE_FEATURE_SET, DMA_LOGGING_CONTROL_SIZE)) return;
  const control = request.read(DMA_LOGGING_CONTROL_SIZE);
  const pageSize = control.readBigUInt64LE(0);
  const count = control.readUInt32LE(8);
  if (count === 0) fail(Errno.EINVAL);
  if (count > MAX_RANGES) fail(Errno.E2BIG);
  const ranges: DmaRange[] = [];
  for (let n = 0; n < count; n++) {
    const at = control.readBigUInt64LE(16) + BigInt(n * RANGE_SIZE);
    const range = memory.read(at, RANGE_SIZE);
    const [iova, length] = [range.readBigUInt64LE(0), range.readBigUInt64LE(8)];
    const mask = pageSize - 1n;
    if ((iova | length) & mask) fail(Errno.EINVAL);
    const end = checkedEnd(iova, length);
    if (ranges.some((other) => other.iova < end && iova < other.iova + other.length)) fail(Errno.EINVAL);
    ranges.push({ iova, length });
  }
  control.writeBigUInt64LE(ops.start(vdev, ranges, pageSize), 0);
  request.write(control);
}

export function stopLogging(vdev: VfioDevice, ops: VfioLogOps, request: FeatureRequest): void {
  if (request.proceeds(VFIO_DEVICE_FEATURE_SET, 0)) ops.stop(vdev);
}

/**
 * Sets a bit for each page of a range that was written to since it was asked about last.
 * @throws EFAULT; EINVAL for a page size that is none; EOVERFLOW; what the driver says
 */
export function reportLogging(
  vdev: VfioDevice,
  ops: VfioLogOps,
  request: FeatureRequest,
  memory: UserMemory,
): void {
  if (!request.proceeds(VFIO_DEVICE_FEATURE_GET, DMA_LOGGING_REPORT_SIZE)) return;
  const report = request.read(DMA_LOGGING_REPORT_SIZE);
  const [iova, length] = [report.readBigUInt64LE(0), report.readBigUInt64LE(8)];
  const [pageSize, bitmap] = [report.readBigUInt64LE(16), report.readBigUInt64LE(24)];
  if (pageSize < SMALLEST_PAGE || pageSize & (pageSize - 1n)) fail(Errno.EINVAL);
  checkedEnd(iova, length);
  for (const dirty of ops.readAndClear(vdev, { iova, length })) {
    const first = (dirty.iova - iova) / pageSize;
    const last = (dirty.iova + dirty.length - 1n - iova) / pageSize;
    for (let page = first; page <= last; page++) setBit(memory, bitmap, page);
  }
}

function setBit(memory: UserMemory, bitmap: bigint, bit: bigint): void {
  const at = bitmap + bit / 8n;
  const [byte = 0] = memory.read(at, 1);
  memory.write(at, Buffer.of(byte | (1 << Number(bit % 8n))));
}
