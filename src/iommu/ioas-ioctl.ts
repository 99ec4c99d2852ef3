/**
 * The requests of iommufd on address spaces (drivers/iommu/iommufd/ioas.c): allocate, map, copy, unmap, and which IOVAs
 * there are.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import * as uapi from '../uapi/iommufd.js';
import { IOMMU_READ, IOMMU_WRITE } from './backend.js';
import { Ioas } from './ioas.js';
import { IoasPages } from './ioas-pages.js';
import { U64_MAX } from './ioas-table.js';
import type { IommufdCmd } from './iommufd-cmd.js';
import type { IommufdCtx } from './iommufd-ctx.js';

const MAP_FLAGS =
  uapi.IOMMU_IOAS_MAP_FIXED_IOVA | uapi.IOMMU_IOAS_MAP_WRITEABLE | uapi.IOMMU_IOAS_MAP_READABLE;

/** Ranges that are kept for one address space. */
const MOST_ALLOWED = 4096;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/** @throws EOPNOTSUPP for flags */
export function ioasAlloc(ctx: IommufdCtx, cmd: IommufdCmd): void {
  if (uapi.decodeIoasAlloc(cmd.bytes).flags) fail(Errno.EOPNOTSUPP);
  const id = ctx.objects.reserve();
  cmd.bytes.writeUInt32LE(id, uapi.IOAS_ALLOC_OUT_IOAS_ID);
  try {
    cmd.respond();
  } catch (error) {
    ctx.objects.abort(id);
    throw error;
  }
  ctx.objects.finalize(new Ioas(id));
}

/**
 * Writes as many ranges as the caller has room for, and how many there are.
 * @throws EOPNOTSUPP for the reserved field; ENOENT; EMSGSIZE for too little room, after the answer is written; EFAULT
 */
export function ioasIovaRanges(ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { ioasId, numIovas, reserved, allowedIovas } = uapi.decodeIovas(cmd.bytes);
  if (reserved) fail(Errno.EOPNOTSUPP);
  const { ranges, alignment } = ctx.ioas(ioasId).table;
  ranges.slice(0, numIovas).forEach((range, index) => {
    const address = BigInt.asUintN(64, allowedIovas + BigInt(index * uapi.IOVA_RANGE_SIZE));
    cmd.caller.memory.write(address, uapi.encodeIovaRange(range));
  });
  cmd.bytes.writeUInt32LE(ranges.length, uapi.IOVA_RANGES_NUM_IOVAS);
  cmd.bytes.writeBigUInt64LE(alignment, uapi.IOVA_RANGES_OUT_IOVA_ALIGNMENT);
  cmd.respond();
  if (ranges.length > numIovas) fail(Errno.EMSGSIZE);
}

/**
 * Says which IOVAs may be chosen by mappings that do not say where, in place of what was said before.
 * @throws EOPNOTSUPP for the reserved field; ENOENT; EFAULT
 * @throws EINVAL for a range of one IOVA or none, and for ranges that overlap; ENOMEM for more than are kept
 */
export function ioasAllowIovas(ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { ioasId, numIovas, reserved, allowedIovas } = uapi.decodeIovas(cmd.bytes);
  if (reserved) fail(Errno.EOPNOTSUPP);
  const { table } = ctx.ioas(ioasId);
  const allowed: uapi.IovaRange[] = [];
  for (let index = 0; index < numIovas; index++) {
    if (index === MOST_ALLOWED) fail(Errno.ENOMEM);
    const address = BigInt.asUintN(64, allowedIovas + BigInt(index * uapi.IOVA_RANGE_SIZE));
    const range = uapi.decodeIovaRange(cmd.caller.memory.read(address, uapi.IOVA_RANGE_SIZE));
    if (range.start >= range.last) fail(Errno.EINVAL);
    const at = placeOf(allowed, range.start);
    if (overlap(allowed[at - 1], range) || overlap(allowed[at], range)) fail(Errno.EINVAL);
    allowed.splice(at, 0, range);
  }
  table.allowed = allowed;
}

/** The index of the first range that begins at `start` or after it. */
function placeOf(ranges: readonly uapi.IovaRange[], start: bigint): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.start < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

const overlap = (one: uapi.IovaRange | undefined, other: uapi.IovaRange): boolean =>
  one !== undefined && one.start <= other.last && other.start <= one.last;

/**
 * Maps user memory.
 * @throws EOPNOTSUPP for unknown flags; EOVERFLOW for an IOVA or length of 2^64-1; EINVAL without access; ENOENT
 * @throws what {@link IoasPages.alloc} and {@link IoasTable.map} say
 */
export function ioasMap(ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { flags, ioasId, reserved, userVa, length, iova } = uapi.decodeIoasMap(cmd.bytes);
  if (flags & ~MAP_FLAGS || reserved) fail(Errno.EOPNOTSUPP);
  if (iova === U64_MAX || length === U64_MAX) fail(Errno.EOVERFLOW);
  const prot = protOf(flags);
  if (!prot) fail(Errno.EINVAL);
  const { table } = ctx.ioas(ioasId);
  const writable = (prot & IOMMU_WRITE) !== 0;
  const [pages, startByte] = IoasPages.alloc(cmd.caller.memory, userVa, length, writable);
  const start = table.map([{ pages, startByte, length }], length, fixedIova(flags, iova), prot);
  cmd.bytes.writeBigUInt64LE(start, uapi.IOAS_MAP_IOVA);
  cmd.respond();
}

/**
 * Maps the memory behind a range once more, in the same or another address space.
 * @throws EOPNOTSUPP for unknown flags; EOVERFLOW for an IOVA or length of 2^64-1; EINVAL without access
 * @throws ENOENT for an unknown address space, the source before the destination, or a source that is not mapped
 * @throws what {@link IoasTable.map} says
 */
export function ioasCopy(ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { flags, dstIoasId, srcIoasId, length, dstIova, srcIova } = uapi.decodeIoasCopy(cmd.bytes);
  if (flags & ~MAP_FLAGS) fail(Errno.EOPNOTSUPP);
  if (length === U64_MAX || srcIova === U64_MAX || dstIova === U64_MAX) fail(Errno.EOVERFLOW);
  const prot = protOf(flags);
  if (!prot) fail(Errno.EINVAL);
  const slices = ctx.ioas(srcIoasId).table.pagesOf(srcIova, length);
  let destination: Ioas;
  try {
    destination = ctx.ioas(dstIoasId);
  } catch (error) {
    for (const { pages } of slices) pages.put();
    throw error;
  }
  const start = destination.table.map(slices, length, fixedIova(flags, dstIova), prot);
  cmd.bytes.writeBigUInt64LE(start, uapi.IOAS_COPY_DST_IOVA);
  cmd.respond();
}

function protOf(flags: number): number {
  const read = flags & uapi.IOMMU_IOAS_MAP_READABLE ? IOMMU_READ : 0;
  return read | (flags & uapi.IOMMU_IOAS_MAP_WRITEABLE ? IOMMU_WRITE : 0);
}

const fixedIova = (flags: number, iova: bigint): bigint | undefined =>
  flags & uapi.IOMMU_IOAS_MAP_FIXED_IOVA ? iova : undefined;

/**
 * Unmaps a range, or everything for (0, 2^64-1), and says how many bytes.
 * @throws ENOENT for an unknown address space, for a range with nothing in it, and at a mapping that reaches out of it
 * @throws EOVERFLOW for an IOVA or length of 2^64-1, and beyond the last IOVA; EINVAL for no bytes
 * @throws EDEADLK when a device does not let go
 */
export function ioasUnmap(ctx: IommufdCtx, cmd: IommufdCmd): void {
  const { ioasId, iova, length } = uapi.decodeIoasUnmap(cmd.bytes);
  const { table } = ctx.ioas(ioasId);
  const all = iova === 0n && length === U64_MAX;
  if (!all && (iova === U64_MAX || length === U64_MAX)) fail(Errno.EOVERFLOW);
  const { bytes, error } = all ? table.unmapRange(0n, U64_MAX) : table.unmap(iova, length);
  if (error) throw error;
  if (!all && bytes === 0n) fail(Errno.ENOENT);
  // All 2^64 bytes can be mapped, by two mappings; their number does not fit the field.
  cmd.bytes.writeBigUInt64LE(BigInt.asUintN(64, bytes), uapi.IOAS_UNMAP_LENGTH);
  cmd.respond();
}
