/**
 * Numbers and layouts of include/uapi/linux/iommufd.h, as of Linux 6.12: requests, flags, and for each structure its
 * size, the shortest size that a caller may give, a decoder, and the offsets of what the kernel fills in. Every
 * structure begins with its own size in 32 bits. All integers are little endian.
 * @module
 */

/** Numbers below this one in an iommufd request's lowest byte are requests of VFIO. */
export const IOMMUFD_CMD_BASE = 0x80;
/** How many requests there are. */
export const IOMMUFD_CMD_COUNT = 15;

const request = (n: number) => 0x3b00 + IOMMUFD_CMD_BASE + n;

export const IOMMU_DESTROY = request(0);
export const IOMMU_IOAS_ALLOC = request(1);
export const IOMMU_IOAS_ALLOW_IOVAS = request(2);
export const IOMMU_IOAS_COPY = request(3);
export const IOMMU_IOAS_IOVA_RANGES = request(4);
export const IOMMU_IOAS_MAP = request(5);
export const IOMMU_IOAS_UNMAP = request(6);
export const IOMMU_OPTION = request(7);
export const IOMMU_VFIO_IOAS = request(8);
export const IOMMU_HWPT_ALLOC = request(9);
export const IOMMU_GET_HW_INFO = request(10);
export const IOMMU_HWPT_SET_DIRTY_TRACKING = request(11);
export const IOMMU_HWPT_GET_DIRTY_BITMAP = request(12);
export const IOMMU_HWPT_INVALIDATE = request(13);
export const IOMMU_FAULT_QUEUE_ALLOC = request(14);

/** The size of a structure, and that of its oldest form. */
export interface IommuStruct {
  readonly size: number;
  readonly minSize: number;
}

const fixed = (size: number): IommuStruct => ({ size, minSize: size });

/** struct iommu_destroy: size, id. */
export const IOMMU_DESTROY_STRUCT = fixed(8);

export function decodeDestroy(bytes: Buffer) {
  return { id: bytes.readUInt32LE(4) };
}

/** struct iommu_ioas_alloc: size, flags, out_ioas_id. */
export const IOAS_ALLOC_STRUCT = fixed(12);
export const IOAS_ALLOC_OUT_IOAS_ID = 8;

export function decodeIoasAlloc(bytes: Buffer) {
  return { flags: bytes.readUInt32LE(4) };
}

/** struct iommu_iova_range: start (64), last (64). */
export const IOVA_RANGE_SIZE = 16;

export interface IovaRange {
  start: bigint;
  last: bigint;
}

export function decodeIovaRange(bytes: Buffer): IovaRange {
  return { start: bytes.readBigUInt64LE(0), last: bytes.readBigUInt64LE(8) };
}

export function encodeIovaRange({ start, last }: IovaRange): Buffer {
  const bytes = Buffer.alloc(IOVA_RANGE_SIZE);
  bytes.writeBigUInt64LE(start, 0);
  bytes.writeBigUInt64LE(last, 8);
  return bytes;
}

/** struct iommu_ioas_allow_iovas: size, ioas_id, num_iovas, reserved, allowed_iovas (64). */
export const IOAS_ALLOW_IOVAS_STRUCT = fixed(24);
/** struct iommu_ioas_iova_ranges: the same, and out_iova_alignment (64). */
export const IOAS_IOVA_RANGES_STRUCT = fixed(32);
export const IOVA_RANGES_NUM_IOVAS = 8;
export const IOVA_RANGES_OUT_IOVA_ALIGNMENT = 24;

export function decodeIovas(bytes: Buffer) {
  return {
    ioasId: bytes.readUInt32LE(4),
    numIovas: bytes.readUInt32LE(8),
    reserved: bytes.readUInt32LE(12),
    allowedIovas: bytes.readBigUInt64LE(16),
  };
}

export const IOMMU_IOAS_MAP_FIXED_IOVA = 1;
export const IOMMU_IOAS_MAP_WRITEABLE = 2;
export const IOMMU_IOAS_MAP_READABLE = 4;

/** struct iommu_ioas_map: size, flags, ioas_id, reserved, user_va (64), length (64), iova (64). */
export const IOAS_MAP_STRUCT = fixed(40);
export const IOAS_MAP_IOVA = 32;

export function decodeIoasMap(bytes: Buffer) {
  return {
    flags: bytes.readUInt32LE(4),
    ioasId: bytes.readUInt32LE(8),
    reserved: bytes.readUInt32LE(12),
    userVa: bytes.readBigUInt64LE(16),
    length: bytes.readBigUInt64LE(24),
    iova: bytes.readBigUInt64LE(IOAS_MAP_IOVA),
  };
}

/** struct iommu_ioas_copy: size, flags, dst_ioas_id, src_ioas_id, length (64), dst_iova (64), src_iova (64). */
export const IOAS_COPY_STRUCT = fixed(40);
export const IOAS_COPY_DST_IOVA = 24;

export function decodeIoasCopy(bytes: Buffer) {
  return {
    flags: bytes.readUInt32LE(4),
    dstIoasId: bytes.readUInt32LE(8),
    srcIoasId: bytes.readUInt32LE(12),
    length: bytes.readBigUInt64LE(16),
    dstIova: bytes.readBigUInt64LE(IOAS_COPY_DST_IOVA),
    srcIova: bytes.readBigUInt64LE(32),
  };
}

/** struct iommu_ioas_unmap: size, ioas_id, iova (64), length (64). */
export const IOAS_UNMAP_STRUCT = fixed(24);
export const IOAS_UNMAP_LENGTH = 16;

export function decodeIoasUnmap(bytes: Buffer) {
  return {
    ioasId: bytes.readUInt32LE(4),
    iova: bytes.readBigUInt64LE(8),
    length: bytes.readBigUInt64LE(IOAS_UNMAP_LENGTH),
  };
}

export const IOMMU_OPTION_RLIMIT_MODE = 0;
export const IOMMU_OPTION_HUGE_PAGES = 1;
export const IOMMU_OPTION_OP_SET = 0;
export const IOMMU_OPTION_OP_GET = 1;

/** struct iommu_option: size, option_id, op (16), reserved (16), object_id, val64 (64). */
export const IOMMU_OPTION_STRUCT = fixed(24);
export const IOMMU_OPTION_VAL64 = 16;

export function decodeOption(bytes: Buffer) {
  return {
    optionId: bytes.readUInt32LE(4),
    op: bytes.readUInt16LE(8),
    reserved: bytes.readUInt16LE(10),
    objectId: bytes.readUInt32LE(12),
    val64: bytes.readBigUInt64LE(IOMMU_OPTION_VAL64),
  };
}

export const IOMMU_VFIO_IOAS_GET = 0;
export const IOMMU_VFIO_IOAS_SET = 1;
export const IOMMU_VFIO_IOAS_CLEAR = 2;

/** struct iommu_vfio_ioas: size, ioas_id, op (16), reserved (16). */
export const VFIO_IOAS_STRUCT = fixed(12);
export const VFIO_IOAS_IOAS_ID = 4;

export function decodeVfioIoas(bytes: Buffer) {
  return {
    ioasId: bytes.readUInt32LE(VFIO_IOAS_IOAS_ID),
    op: bytes.readUInt16LE(8),
    reserved: bytes.readUInt16LE(10),
  };
}

/**
 * struct iommu_hwpt_alloc: size, flags, dev_id, pt_id, out_hwpt_id, reserved, data_type, data_len, data_uptr (64),
 * fault_id, reserved.
 */
export const HWPT_ALLOC_STRUCT: IommuStruct = { size: 48, minSize: 24 };
export const IOMMU_HWPT_DATA_NONE = 0;

export function decodeHwptAlloc(bytes: Buffer) {
  return {
    deviceId: bytes.readUInt32LE(8),
    reserved: bytes.readUInt32LE(20),
    dataType: bytes.readUInt32LE(24),
    dataLength: bytes.readUInt32LE(28),
  };
}

/** struct iommu_hw_info: size, flags, dev_id, data_len, data_uptr (64), out_data_type, reserved, out_capabilities (64). */
export const HW_INFO_STRUCT: IommuStruct = { size: 40, minSize: 32 };

export function decodeHwInfo(bytes: Buffer) {
  return {
    flags: bytes.readUInt32LE(4),
    deviceId: bytes.readUInt32LE(8),
    reserved: bytes.readUInt32LE(28),
  };
}

/** struct iommu_hwpt_set_dirty_tracking: size, flags, hwpt_id, reserved. */
export const HWPT_SET_DIRTY_TRACKING_STRUCT = fixed(16);
export const IOMMU_HWPT_DIRTY_TRACKING_ENABLE = 1;

export function decodeHwptSetDirtyTracking(bytes: Buffer) {
  return { flags: bytes.readUInt32LE(4), hwptId: bytes.readUInt32LE(8) };
}

/** struct iommu_hwpt_get_dirty_bitmap: size, hwpt_id, flags, reserved, iova, length, page_size, data (64 each). */
export const HWPT_GET_DIRTY_BITMAP_STRUCT = fixed(48);
export const IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1;

export function decodeHwptGetDirtyBitmap(bytes: Buffer) {
  return {
    hwptId: bytes.readUInt32LE(4),
    flags: bytes.readUInt32LE(8),
    reserved: bytes.readUInt32LE(12),
  };
}

/** struct iommu_hwpt_invalidate: size, hwpt_id, data_uptr (64), data_type, entry_len, entry_num, reserved. */
export const HWPT_INVALIDATE_STRUCT = fixed(32);
export const HWPT_INVALIDATE_ENTRY_NUM = 24;

export function decodeHwptInvalidate(bytes: Buffer) {
  return {
    hwptId: bytes.readUInt32LE(4),
    dataUptr: bytes.readBigUInt64LE(8),
    entryLength: bytes.readUInt32LE(20),
    entryNum: bytes.readUInt32LE(HWPT_INVALIDATE_ENTRY_NUM),
    reserved: bytes.readUInt32LE(28),
  };
}

/** struct iommu_fault_alloc: size, flags, out_fault_id, out_fault_fd. */
export const FAULT_ALLOC_STRUCT = fixed(16);
export const FAULT_ALLOC_OUT_FAULT_ID = 8;
export const FAULT_ALLOC_OUT_FAULT_FD = 12;

export function decodeFaultAlloc(bytes: Buffer) {
  return { flags: bytes.readUInt32LE(4) };
}

/** struct iommu_hwpt_pgfault and struct iommu_hwpt_page_response: what a fault queue is read and written in. */
export const HWPT_PGFAULT_SIZE = 40;
export const HWPT_PAGE_RESPONSE_SIZE = 8;
