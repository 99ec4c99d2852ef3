/**
 * IOMMU_OPTION (drivers/iommu/iommufd/main.c, ioas.c): whose limit of locked memory counts, and whether an address space
 * may use pages larger than the smallest.
 *
 * The limit is always that of the process here; the kernel lets only CAP_SYS_RESOURCE change whose it is.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import * as uapi from '../uapi/iommufd.js';
import type { IommufdCmd } from './iommufd-cmd.js';
import type { IommufdCtx } from './iommufd-ctx.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

type Option = ReturnType<typeof uapi.decodeOption>;

/**
 * @throws EOPNOTSUPP for the reserved field, an unknown option or operation, and an object that the option does not have
 * @throws ENOENT for an unknown address space; EINVAL for a value other than 0 and 1
 * @throws EBUSY for the limit once there are objects; EADDRINUSE when what is mapped does not allow it
 */
export function iommufdOption(ctx: IommufdCtx, cmd: IommufdCmd): void {
  const option = uapi.decodeOption(cmd.bytes);
  if (option.reserved) fail(Errno.EOPNOTSUPP);
  let value: bigint;
  if (option.optionId === uapi.IOMMU_OPTION_RLIMIT_MODE) value = rlimitMode(ctx, option);
  else if (option.optionId === uapi.IOMMU_OPTION_HUGE_PAGES) value = hugePages(ctx, option);
  else value = fail(Errno.EOPNOTSUPP);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  cmd.arg.write(bytes, uapi.IOMMU_OPTION_VAL64);
}

function rlimitMode(ctx: IommufdCtx, { op, objectId, val64 }: Option): bigint {
  if (objectId) fail(Errno.EOPNOTSUPP);
  if (op === uapi.IOMMU_OPTION_OP_GET) return ctx.accountMm ? 1n : 0n;
  if (op !== uapi.IOMMU_OPTION_OP_SET) fail(Errno.EOPNOTSUPP);
  if (!ctx.objects.empty) fail(Errno.EBUSY);
  if (val64 > 1n) fail(Errno.EINVAL);
  ctx.accountMm = val64 === 1n;
  return val64;
}

function hugePages(ctx: IommufdCtx, { op, objectId, val64 }: Option): bigint {
  const { table } = ctx.ioas(objectId);
  if (op === uapi.IOMMU_OPTION_OP_GET) return table.largePages ? 1n : 0n;
  if (op !== uapi.IOMMU_OPTION_OP_SET) fail(Errno.EOPNOTSUPP);
  if (val64 > 1n) fail(Errno.EINVAL);
  table.setLargePages(val64 === 1n);
  return val64;
}
