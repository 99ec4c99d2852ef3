/**
 * Numbers and layouts of include/uapi/linux/vfio.h that IOMMU backends of a container use: type1 and sPAPR TCE. All
 * integers are little endian.
 * @module
 */

const request = (n: number) => 0x3b64 + n;

export const VFIO_IOMMU_GET_INFO = request(12);
export const VFIO_IOMMU_MAP_DMA = request(13);
export const VFIO_IOMMU_UNMAP_DMA = request(14);
export const VFIO_IOMMU_ENABLE = request(15);
export const VFIO_IOMMU_DISABLE = request(16);
export const VFIO_IOMMU_DIRTY_PAGES = request(17);
export const VFIO_IOMMU_SPAPR_TCE_GET_INFO = request(12);
export const VFIO_EEH_PE_OP = request(21);
export const VFIO_IOMMU_SPAPR_REGISTER_MEMORY = request(17);
export const VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY = request(18);
export const VFIO_IOMMU_SPAPR_TCE_CREATE = request(19);
export const VFIO_IOMMU_SPAPR_TCE_REMOVE = request(20);

/** Backend types and extensions that a container is asked for. */
export const VFIO_TYPE1_IOMMU = 1;
export const VFIO_SPAPR_TCE_IOMMU = 2;
export const VFIO_TYPE1v2_IOMMU = 3;
export const VFIO_DMA_CC_IOMMU = 4;
export const VFIO_EEH = 5;
export const VFIO_TYPE1_NESTING_IOMMU = 6;
export const VFIO_SPAPR_TCE_v2_IOMMU = 7;
export const VFIO_NOIOMMU_IOMMU = 8;
export const VFIO_UNMAP_ALL = 9;
export const VFIO_UPDATE_VADDR = 10;

/** struct vfio_iommu_type1_info: argsz, flags, iova_pgsizes (64), cap_offset, pad. */
export const TYPE1_INFO_MINSZ = 16;
export const TYPE1_INFO_SIZE = 24;
export const VFIO_IOMMU_INFO_PGSIZES = 1;
export const VFIO_IOMMU_INFO_CAPS = 2;

export interface Type1Info {
  argsz: number;
  flags: number;
  iovaPgsizes: bigint;
  capOffset: number;
}

export function encodeType1Info(info: Type1Info): Buffer {
  const bytes = Buffer.alloc(TYPE1_INFO_SIZE);
  bytes.writeUInt32LE(info.argsz, 0);
  bytes.writeUInt32LE(info.flags, 4);
  bytes.writeBigUInt64LE(info.iovaPgsizes, 8);
  bytes.writeUInt32LE(info.capOffset, 16);
  return bytes;
}

/** Capabilities in the chain after the info: a header (id 16, version 16, next 32), then what they say. */
export const VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION = 2;
export const VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL = 3;
const CAP_HEADER_SIZE = 8;

function capability(id: number, size: number, next: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt16LE(id, 0);
  bytes.writeUInt16LE(1, 2);
  bytes.writeUInt32LE(next, 4);
  return bytes;
}

/** struct vfio_iommu_type1_info_cap_migration: header, flags, pad, pgsize_bitmap (64), max_dirty_bitmap_size (64). */
function capMigration(pgsizes: bigint, maxDirtyBitmapSize: bigint, next: number): Buffer {
  const bytes = capability(VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, CAP_HEADER_SIZE + 24, next);
  bytes.writeBigUInt64LE(pgsizes, 16);
  bytes.writeBigUInt64LE(maxDirtyBitmapSize, 24);
  return bytes;
}

/** struct vfio_iommu_type1_info_dma_avail: header, avail; padded to a multiple of 8. */
function capDmaAvail(avail: number, next: number): Buffer {
  const bytes = capability(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, CAP_HEADER_SIZE + 8, next);
  bytes.writeUInt32LE(avail, 8);
  return bytes;
}

/** The chain of a container without iova ranges, as it follows the info. */
export function encodeType1Caps(caps: {
  pgsize: bigint;
  maxDirtyBitmapSize: bigint;
  dmaAvail: number;
}): Buffer {
  const second = TYPE1_INFO_SIZE + CAP_HEADER_SIZE + 24;
  return Buffer.concat([
    capMigration(caps.pgsize, caps.maxDirtyBitmapSize, second),
    capDmaAvail(caps.dmaAvail, 0),
  ]);
}

/** struct vfio_iommu_type1_dma_map: argsz, flags, vaddr (64), iova (64), size (64). */
export const DMA_MAP_SIZE = 32;
export const VFIO_DMA_MAP_FLAG_READ = 1;
export const VFIO_DMA_MAP_FLAG_WRITE = 2;
export const VFIO_DMA_MAP_FLAG_VADDR = 4;

export interface DmaMap {
  argsz: number;
  flags: number;
  vaddr: bigint;
  iova: bigint;
  size: bigint;
}

export function decodeDmaMap(bytes: Buffer): DmaMap {
  return {
    argsz: bytes.readUInt32LE(0),
    flags: bytes.readUInt32LE(4),
    vaddr: bytes.readBigUInt64LE(8),
    iova: bytes.readBigUInt64LE(16),
    size: bytes.readBigUInt64LE(24),
  };
}

/** struct vfio_iommu_type1_dma_unmap: argsz, flags, iova (64), size (64), then a struct vfio_bitmap where asked for. */
export const DMA_UNMAP_SIZE = 24;
export const DMA_UNMAP_SIZE_FIELD = 16;
export const VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP = 1;
export const VFIO_DMA_UNMAP_FLAG_ALL = 2;
export const VFIO_DMA_UNMAP_FLAG_VADDR = 4;

export interface DmaUnmap {
  argsz: number;
  flags: number;
  iova: bigint;
  size: bigint;
}

export function decodeDmaUnmap(bytes: Buffer): DmaUnmap {
  return {
    argsz: bytes.readUInt32LE(0),
    flags: bytes.readUInt32LE(4),
    iova: bytes.readBigUInt64LE(8),
    size: bytes.readBigUInt64LE(16),
  };
}

/** struct vfio_bitmap: pgsize (64), size in bytes (64), data (64, an address). */
export const BITMAP_SIZE = 24;

export interface DirtyBitmap {
  pgsize: bigint;
  size: bigint;
  data: bigint;
}

export function decodeBitmap(bytes: Buffer, offset = 0): DirtyBitmap {
  return {
    pgsize: bytes.readBigUInt64LE(offset),
    size: bytes.readBigUInt64LE(offset + 8),
    data: bytes.readBigUInt64LE(offset + 16),
  };
}

/** struct vfio_iommu_type1_dirty_bitmap: argsz, flags, then for GET_BITMAP iova (64), size (64), struct vfio_bitmap. */
export const DIRTY_BITMAP_MINSZ = 8;
export const DIRTY_BITMAP_GET_SIZE = 16 + BITMAP_SIZE;
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_START = 1;
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP = 2;
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP = 4;

/** struct vfio_iommu_spapr_tce_info: argsz, flags, dma32 window start and size, then for v2 struct ddw. */
export const SPAPR_TCE_INFO_MINSZ = 16;
export const SPAPR_TCE_INFO_SIZE = 32;
export const VFIO_IOMMU_SPAPR_INFO_DDW = 1;

export interface SpaprTceInfo {
  argsz: number;
  flags: number;
  dma32WindowStart: number;
  dma32WindowSize: number;
  ddw: { pgsizes: bigint; maxDynamicWindows: number; levels: number };
}

export function encodeSpaprTceInfo(info: SpaprTceInfo): Buffer {
  const bytes = Buffer.alloc(SPAPR_TCE_INFO_SIZE);
  bytes.writeUInt32LE(info.argsz, 0);
  bytes.writeUInt32LE(info.flags, 4);
  bytes.writeUInt32LE(info.dma32WindowStart, 8);
  bytes.writeUInt32LE(info.dma32WindowSize, 12);
  bytes.writeBigUInt64LE(info.ddw.pgsizes, 16);
  bytes.writeUInt32LE(info.ddw.maxDynamicWindows, 24);
  bytes.writeUInt32LE(info.ddw.levels, 28);
  return bytes;
}

/** struct vfio_iommu_spapr_register_memory: argsz, flags, vaddr (64), size (64). */
export const SPAPR_REGISTER_MEMORY_SIZE = 24;

/** struct vfio_iommu_spapr_tce_create: argsz, flags, page_shift, resv1, window_size (64), levels, resv2, start_addr (64). */
export const SPAPR_TCE_CREATE_SIZE = 40;
export const SPAPR_TCE_CREATE_START_ADDR = 32;

/** struct vfio_iommu_spapr_tce_remove: argsz, flags, start_addr (64). */
export const SPAPR_TCE_REMOVE_SIZE = 16;

export function decodeSpaprMemory(bytes: Buffer): {
  argsz: number;
  flags: number;
  vaddr: bigint;
  size: bigint;
} {
  return {
    argsz: bytes.readUInt32LE(0),
    flags: bytes.readUInt32LE(4),
    vaddr: bytes.readBigUInt64LE(8),
    size: bytes.readBigUInt64LE(16),
  };
}

export interface SpaprTceCreate {
  argsz: number;
  flags: number;
  pageShift: number;
  windowSize: bigint;
  levels: number;
}

export function decodeSpaprTceCreate(bytes: Buffer): SpaprTceCreate {
  return {
    argsz: bytes.readUInt32LE(0),
    flags: bytes.readUInt32LE(4),
    pageShift: bytes.readUInt32LE(8),
    windowSize: bytes.readBigUInt64LE(16),
    levels: bytes.readUInt32LE(24),
  };
}

export function decodeSpaprTceRemove(bytes: Buffer): { argsz: number; flags: number; start: bigint } {
  return { argsz: bytes.readUInt32LE(0), flags: bytes.readUInt32LE(4), start: bytes.readBigUInt64LE(8) };
}
