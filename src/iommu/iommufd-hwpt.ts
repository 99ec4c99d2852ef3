/**
 * The requests of iommufd on page tables of a real IOMMU (drivers/iommu/iommufd/hw_pagetable.c, and IOMMU_GET_HW_INFO of
 * device.c).
 *
 * Devices without an IOMMU of their own are no devices in this sense, and so have neither such page tables nor hardware
 * to tell about: after the checks that come first, every request finds that the object is not there.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import * as uapi from '../uapi/iommufd.js';
import type { IommufdCmd } from './iommufd-cmd.js';
import type { IommufdCtx } from './iommufd-ctx.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/** @throws EOPNOTSUPP for the reserved field; EINVAL for a type of data without data or the other way round; ENOENT */
export function hwptAlloc(_ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { reserved, dataType, dataLength } = uapi.decodeHwptAlloc(cmd.bytes);
  if (reserved) fail(Errno.EOPNOTSUPP);
  if ((dataType === uapi.IOMMU_HWPT_DATA_NONE) !== (dataLength === 0)) fail(Errno.EINVAL);
  fail(Errno.ENOENT);
}

/** @throws EOPNOTSUPP for flags or the reserved field; ENOENT */
export function getHwInfo(_ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { flags, reserved } = uapi.decodeHwInfo(cmd.bytes);
  if (flags || reserved) fail(Errno.EOPNOTSUPP);
  fail(Errno.ENOENT);
}

/** @throws EOPNOTSUPP for unknown flags; ENOENT */
export function hwptSetDirtyTracking(_ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { flags } = uapi.decodeHwptSetDirtyTracking(cmd.bytes);
  if (flags & ~uapi.IOMMU_HWPT_DIRTY_TRACKING_ENABLE) fail(Errno.EOPNOTSUPP);
  fail(Errno.ENOENT);
}

/** @throws EOPNOTSUPP for unknown flags or the reserved field; ENOENT */
export function hwptGetDirtyBitmap(_ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { flags, reserved } = uapi.decodeHwptGetDirtyBitmap(cmd.bytes);
  if (flags & ~uapi.IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR || reserved) fail(Errno.EOPNOTSUPP);
  fail(Errno.ENOENT);
}

/**
 * Tells in any case how many entries were handled: none.
 * @throws EOPNOTSUPP for the reserved field; EINVAL for entries without an address or a length; ENOENT; EFAULT
 */
export function hwptInvalidate(_ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { reserved, entryNum, dataUptr, entryLength } = uapi.decodeHwptInvalidate(cmd.bytes);
  cmd.bytes.writeUInt32LE(0, uapi.HWPT_INVALIDATE_ENTRY_NUM);
  cmd.respond();
  if (reserved) fail(Errno.EOPNOTSUPP);
  if (entryNum && (dataUptr === 0n || !entryLength)) fail(Errno.EINVAL);
  fail(Errno.ENOENT);
}
