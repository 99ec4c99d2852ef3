/**
 * Regions of a VFIO device: what GET_REGION_INFO says of each, with its chain of capabilities.
 * @module
 */

import type { DriverCore } from '../base/core.js';
import type { UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  DEVICE_INFO_MINSZ,
  type DeviceInfo,
  decodeRegionInfo,
  encodeDeviceInfo,
  encodeRegionInfo,
  REGION_INFO_SIZE,
  VFIO_REGION_INFO_FLAG_CAPS,
  VFIO_REGION_INFO_FLAG_MMAP,
} from '../uapi/vfio.js';

/** The flag of a region that can be mapped, if those of this machine can. */
export function mmapFlag({ devicePages }: DriverCore): number {
  return devicePages.mappable ? VFIO_REGION_INFO_FLAG_MMAP : 0;
}

export interface Region {
  size: number;
  offset: number;
  /** VFIO_REGION_INFO_FLAG_*. */
  flags: number;
  /** A capability, whole, with its header. */
  capability?: Buffer;
}

/**
 * Answers VFIO_DEVICE_GET_INFO. The structure has grown: a caller gets the fields of its own size.
 * @param told called when the question is in order, for drivers that remember what they told
 * @throws EFAULT; EINVAL when the structure is smaller than its first version
 */
export function getDeviceInfo(arg: UserPointer, info: DeviceInfo, told?: () => void): number {
  if (arg.read(DEVICE_INFO_MINSZ).readUInt32LE(0) < DEVICE_INFO_MINSZ) throw new KernelError(Errno.EINVAL);
  told?.();
  arg.write(encodeDeviceInfo(info), 4);
  return 0;
}

/**
 * Answers VFIO_DEVICE_GET_REGION_INFO.
 * @param find the region of an index; throws EINVAL for one that the device does not have
 * @param largest the largest argsz that the device accepts
 */
export function getRegionInfo(arg: UserPointer, find: (index: number) => Region, largest = Infinity): number {
  const bytes = arg.read(REGION_INFO_SIZE);
  const asked = decodeRegionInfo(bytes);
  if (asked.argsz < REGION_INFO_SIZE || asked.argsz > largest) throw new KernelError(Errno.EINVAL);
  const { flags, size, offset, capability } = find(asked.index);
  // Without capabilities, where they would begin is left as the caller had it.
  const info = { argsz: asked.argsz, flags, index: asked.index, capOffset: asked.capOffset, size, offset };
  if (!capability) {
    arg.write(encodeRegionInfo(info, bytes));
    return 0;
  }
  // The chain follows the structure. A caller with too little room learns how much is needed, and gets what fits.
  info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
  info.argsz = REGION_INFO_SIZE + capability.length;
  info.capOffset = REGION_INFO_SIZE;
  arg.write(encodeRegionInfo(info, bytes));
  arg.write(capability.subarray(0, Math.max(asked.argsz - REGION_INFO_SIZE, 0)), REGION_INFO_SIZE);
  return 0;
}
