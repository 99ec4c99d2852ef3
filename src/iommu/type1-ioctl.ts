/**
 * Requests of a container that type1 answers (drivers/vfio/vfio_iommu_type1.c): what each structure must be before its
 * meaning is looked at.
 * @module
 */

import type { UserMemory, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  BITMAP_SIZE,
  DIRTY_BITMAP_GET_SIZE,
  DIRTY_BITMAP_MINSZ,
  DMA_MAP_SIZE,
  DMA_UNMAP_SIZE,
  DMA_UNMAP_SIZE_FIELD,
  decodeBitmap,
  decodeDmaMap,
  decodeDmaUnmap,
  encodeType1Caps,
  encodeType1Info,
  TYPE1_INFO_MINSZ,
  TYPE1_INFO_SIZE,
  VFIO_DMA_CC_IOMMU,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_VADDR,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_DMA_UNMAP_FLAG_ALL,
  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
  VFIO_DMA_UNMAP_FLAG_VADDR,
  VFIO_IOMMU_DIRTY_PAGES,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1_NESTING_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
  VFIO_UPDATE_VADDR,
} from '../uapi/vfio-iommu.js';
import { IOMMU_READ, IOMMU_WRITE } from './backend.js';
import type { Type1Iommu } from './type1.js';
import { u64 } from './type1-dma.js';
import { MAX_BITMAP_BYTES, verifyBitmap } from './type1-dirty.js';
import { PAGE_SIZE_64 } from './user-page.js';

/** Every power of two from a page on. */
const PGSIZES = 0xffff_ffff_ffff_f000n;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/** CHECK_EXTENSION of a container that uses type1, or of one that may. */
export function type1CheckExtension(extension: number, iommu?: Type1Iommu): number {
  switch (extension) {
    case VFIO_TYPE1_IOMMU:
    case VFIO_TYPE1v2_IOMMU:
    case VFIO_TYPE1_NESTING_IOMMU:
    case VFIO_UNMAP_ALL:
      return 1;
    // Not with emulated devices.
    case VFIO_UPDATE_VADDR:
      return iommu && iommu.groups.size === 0 ? 1 : 0;
    // Without a domain there is none that does not enforce coherency.
    case VFIO_DMA_CC_IOMMU:
      return iommu ? 1 : 0;
    default:
      return 0;
  }
}

/** @throws ENOTTY for a request that type1 does not know; EFAULT, EINVAL for structures that it cannot read */
export function type1Ioctl(iommu: Type1Iommu, request: number, arg: UserPointer, memory: UserMemory): number {
  switch (request) {
    case VFIO_IOMMU_GET_INFO:
      return getInfo(iommu, arg);
    case VFIO_IOMMU_MAP_DMA:
      return mapDma(iommu, arg, memory);
    case VFIO_IOMMU_UNMAP_DMA:
      return unmapDma(iommu, arg, memory);
    case VFIO_IOMMU_DIRTY_PAGES:
      return dirtyPages(iommu, arg, memory);
    default:
      return fail(Errno.ENOTTY);
  }
}

/** A caller with too little room for the capabilities learns how much is needed. */
function getInfo(iommu: Type1Iommu, arg: UserPointer): number {
  const argsz = arg.read(TYPE1_INFO_MINSZ).readUInt32LE(0);
  if (argsz < TYPE1_INFO_MINSZ) fail(Errno.EINVAL);
  const caps = encodeType1Caps({
    pgsize: PAGE_SIZE_64,
    maxDirtyBitmapSize: MAX_BITMAP_BYTES,
    dmaAvail: iommu.dmaAvail,
  });
  const needed = TYPE1_INFO_SIZE + caps.length;
  const fits = argsz >= needed;
  if (fits) arg.write(caps, TYPE1_INFO_SIZE);
  const info = encodeType1Info({
    argsz: fits ? argsz : needed,
    flags: VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
    iovaPgsizes: PGSIZES,
    capOffset: fits ? TYPE1_INFO_SIZE : 0,
  });
  arg.write(info.subarray(0, Math.min(argsz, TYPE1_INFO_SIZE)));
  return 0;
}

function mapDma(iommu: Type1Iommu, arg: UserPointer, memory: UserMemory): number {
  const { argsz, flags, vaddr, iova, size } = decodeDmaMap(arg.read(DMA_MAP_SIZE));
  const known = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE | VFIO_DMA_MAP_FLAG_VADDR;
  if (argsz < DMA_MAP_SIZE || flags & ~known) fail(Errno.EINVAL);
  const prot =
    (flags & VFIO_DMA_MAP_FLAG_READ ? IOMMU_READ : 0) | (flags & VFIO_DMA_MAP_FLAG_WRITE ? IOMMU_WRITE : 0);
  const setVaddr = (flags & VFIO_DMA_MAP_FLAG_VADDR) !== 0;
  if (setVaddr === prot > 0) fail(Errno.EINVAL);
  iommu.map(memory, iova, size, vaddr, prot);
  return 0;
}

function unmapDma(iommu: Type1Iommu, arg: UserPointer, memory: UserMemory): number {
  const { argsz, flags, iova, size } = decodeDmaUnmap(arg.read(DMA_UNMAP_SIZE));
  const exclusive = VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR;
  if (argsz < DMA_UNMAP_SIZE || flags & ~(VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | exclusive))
    fail(Errno.EINVAL);
  const dirty = (flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) !== 0;
  if (dirty && flags & exclusive) fail(Errno.EINVAL);
  if (dirty && argsz < DMA_UNMAP_SIZE + BITMAP_SIZE) fail(Errno.EINVAL);
  const bitmap = dirty ? decodeBitmap(arg.read(BITMAP_SIZE, DMA_UNMAP_SIZE)) : undefined;
  if (bitmap) verifyBitmap(bitmap, size);
  const unmapped = Buffer.alloc(8);
  unmapped.writeBigUInt64LE(
    iommu.unmap(memory, {
      iova,
      size,
      all: (flags & VFIO_DMA_UNMAP_FLAG_ALL) !== 0,
      vaddr: (flags & VFIO_DMA_UNMAP_FLAG_VADDR) !== 0,
      bitmap,
    }),
  );
  arg.write(unmapped, DMA_UNMAP_SIZE_FIELD);
  return 0;
}

/** Only for version 2, and one of its three requests at a time. */
function dirtyPages(iommu: Type1Iommu, arg: UserPointer, memory: UserMemory): number {
  if (!iommu.v2) fail(Errno.EACCES);
  const header = arg.read(DIRTY_BITMAP_MINSZ);
  const [argsz, flags] = [header.readUInt32LE(0), header.readUInt32LE(4)];
  if (argsz < DIRTY_BITMAP_MINSZ) fail(Errno.EINVAL);
  switch (flags) {
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
      iommu.startDirtyTracking();
      return 0;
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
      iommu.stopDirtyTracking();
      return 0;
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
      return getBitmap(iommu, argsz, arg, memory);
    default:
      return fail(Errno.EINVAL);
  }
}

function getBitmap(iommu: Type1Iommu, argsz: number, arg: UserPointer, memory: UserMemory): number {
  if (argsz - DIRTY_BITMAP_MINSZ < DIRTY_BITMAP_GET_SIZE) fail(Errno.EINVAL);
  const bytes = arg.read(DIRTY_BITMAP_GET_SIZE, DIRTY_BITMAP_MINSZ);
  const [iova, size, bitmap] = [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8), decodeBitmap(bytes, 16)];
  if (u64(iova + size) < iova) fail(Errno.EINVAL);
  verifyBitmap(bitmap, size);
  const aligned = (value: bigint): boolean => value % PAGE_SIZE_64 === 0n;
  if (bitmap.pgsize !== PAGE_SIZE_64 || !aligned(iova) || size === 0n || !aligned(size)) fail(Errno.EINVAL);
  if (!iommu.dirtyTracking) fail(Errno.EINVAL);
  iommu.getDirty(memory, iova, size, bitmap.data);
  return 0;
}
