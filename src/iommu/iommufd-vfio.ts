/**
 * An iommufd in place of a VFIO container (drivers/iommu/iommufd/vfio_compat.c): the requests of a container, which work
 * on one chosen address space, and the request that chooses it.
 *
 * Mappings can be cut as in a container of type 1 once that type was asked for. Attaching a group makes an address
 * space when none was chosen; without one every request that needs it fails with ENODEV.
 * @module
 */

import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  decodeVfioIoas,
  IOMMU_VFIO_IOAS_CLEAR,
  IOMMU_VFIO_IOAS_GET,
  IOMMU_VFIO_IOAS_SET,
  VFIO_IOAS_IOAS_ID,
} from '../uapi/iommufd.js';
import {
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_GET_API_VERSION,
  VFIO_SET_IOMMU,
} from '../uapi/vfio.js';
import * as uapi from '../uapi/vfio-iommu.js';
import { IOMMU_READ, IOMMU_WRITE } from './backend.js';
import { IoasPages } from './ioas-pages.js';
import { U64_MAX, type Unmapped } from './ioas-table.js';
import type { IommufdCmd } from './iommufd-cmd.js';
import type { IommufdCtx } from './iommufd-ctx.js';
import { vfioIommuGetInfo } from './iommufd-vfio-info.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/**
 * A request of a container.
 * @throws ENOTTY for one that an iommufd does not know; what the request says
 */
export function iommufdVfioIoctl(ctx: IommufdCtx, request: number, arg: UserPointer, caller: Caller): number {
  switch (request) {
    case VFIO_GET_API_VERSION:
      return VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION:
      return checkExtension(ctx, arg.value);
    case VFIO_SET_IOMMU:
      return setIommu(ctx, arg.value);
    case uapi.VFIO_IOMMU_GET_INFO:
      return vfioIommuGetInfo(ctx, arg);
    case uapi.VFIO_IOMMU_MAP_DMA:
      return mapDma(ctx, arg, caller);
    case uapi.VFIO_IOMMU_UNMAP_DMA:
      return unmapDma(ctx, arg);
    default:
      return fail(Errno.ENOTTY);
  }
}

/** @throws ENODEV for the coherency of an address space that there is not */
function checkExtension(ctx: IommufdCtx, extension: number): number {
  switch (extension) {
    case uapi.VFIO_TYPE1_IOMMU:
    case uapi.VFIO_TYPE1v2_IOMMU:
    case uapi.VFIO_UNMAP_ALL:
      return 1;
    case uapi.VFIO_NOIOMMU_IOMMU:
      return ctx.options.noiommu ? 1 : 0;
    case uapi.VFIO_DMA_CC_IOMMU:
      // No page table of a real IOMMU is there that could say no.
      ctx.requireCompatIoas();
      return 1;
    default:
      return 0;
  }
}

/**
 * @throws EINVAL for another type than 1 and 1v2; ENODEV without an address space
 * @throws EADDRINUSE for type 1 when something is mapped that is not aligned to pages
 */
function setIommu(ctx: IommufdCtx, type: number): number {
  if (type !== uapi.VFIO_TYPE1_IOMMU && type !== uapi.VFIO_TYPE1v2_IOMMU) fail(Errno.EINVAL);
  const { table } = ctx.requireCompatIoas();
  if (type === uapi.VFIO_TYPE1_IOMMU) table.setLargePages(false);
  return 0;
}

/**
 * @throws EFAULT; EINVAL for a structure that is too small, and for unknown flags; ENODEV without an address space
 * @throws what {@link IoasPages.alloc} and {@link IoasTable.map} say
 */
function mapDma(ctx: IommufdCtx, arg: UserPointer, caller: Caller): number {
  const { argsz, flags, vaddr, iova, size } = uapi.decodeDmaMap(arg.read(uapi.DMA_MAP_SIZE));
  const known = uapi.VFIO_DMA_MAP_FLAG_READ | uapi.VFIO_DMA_MAP_FLAG_WRITE;
  if (argsz < uapi.DMA_MAP_SIZE || flags & ~known) fail(Errno.EINVAL);
  const read = flags & uapi.VFIO_DMA_MAP_FLAG_READ ? IOMMU_READ : 0;
  const write = flags & uapi.VFIO_DMA_MAP_FLAG_WRITE ? IOMMU_WRITE : 0;
  const { table } = ctx.requireCompatIoas();
  const [pages, startByte] = IoasPages.alloc(caller.memory, vaddr, size, write !== 0);
  table.map([{ pages, startByte, length: size }], size, iova, read | write);
  return 0;
}

/**
 * Tells how many bytes were unmapped also when it fails, but for errors of the cut that comes first.
 * @throws EFAULT; EINVAL for a structure that is too small, for unknown flags, for a range together with ALL, for no
 *   bytes, and where a mapping cannot be cut; ENODEV without an address space; EOVERFLOW beyond the last IOVA
 * @throws EBUSY for cutting what is being unmapped; ENOENT at a mapping that reaches out of the range
 * @throws EDEADLK when a device does not let go
 */
function unmapDma(ctx: IommufdCtx, arg: UserPointer): number {
  const bytes = arg.read(uapi.DMA_UNMAP_SIZE);
  const { argsz, flags, iova, size } = uapi.decodeDmaUnmap(bytes);
  if (argsz < uapi.DMA_UNMAP_SIZE || flags & ~uapi.VFIO_DMA_UNMAP_FLAG_ALL) fail(Errno.EINVAL);
  const { table } = ctx.requireCompatIoas();
  let unmapped: Unmapped;
  if (flags & uapi.VFIO_DMA_UNMAP_FLAG_ALL) {
    if (iova !== 0n || size !== 0n) fail(Errno.EINVAL);
    unmapped = table.unmapRange(0n, U64_MAX);
  } else {
    if (!table.largePages) {
      const last = BigInt.asUintN(64, iova + size - 1n);
      table.cut(iova === 0n ? [last] : [last, iova - 1n]);
    }
    unmapped = table.unmap(iova, size);
  }
  bytes.writeBigUInt64LE(BigInt.asUintN(64, unmapped.bytes), uapi.DMA_UNMAP_SIZE_FIELD);
  arg.write(bytes);
  if (unmapped.error) throw unmapped.error;
  return 0;
}

/**
 * IOMMU_VFIO_IOAS: which address space the requests of a container mean.
 * @throws EOPNOTSUPP for the reserved field and for an unknown operation
 * @throws ENODEV for asking when there is none; ENOENT for choosing an unknown one
 */
export function vfioIoas(ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { ioasId, op, reserved } = decodeVfioIoas(cmd.bytes);
  if (reserved) fail(Errno.EOPNOTSUPP);
  switch (op) {
    case IOMMU_VFIO_IOAS_GET:
      cmd.bytes.writeUInt32LE(ctx.compatIoasId, VFIO_IOAS_IOAS_ID);
      cmd.respond();
      return;
    case IOMMU_VFIO_IOAS_SET:
      ctx.compatIoas = ctx.ioas(ioasId);
      return;
    case IOMMU_VFIO_IOAS_CLEAR:
      ctx.compatIoas = undefined;
      return;
    default:
      fail(Errno.EOPNOTSUPP);
  }
}
