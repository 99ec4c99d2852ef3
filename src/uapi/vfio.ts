/**
 * Numbers and layouts of include/uapi/linux/vfio.h: requests, flags, and for each structure the offset and width of its
 * fields in bytes. All integers are little endian.
 * @module
 */

import { getU32, getU64, putU32, putU64 } from '../lib/le.js';

const request = (n: number) => 0x3b64 + n;

export const VFIO_API_VERSION = 0;

export const VFIO_GET_API_VERSION = request(0);
export const VFIO_CHECK_EXTENSION = request(1);
export const VFIO_SET_IOMMU = request(2);
export const VFIO_GROUP_GET_STATUS = request(3);
export const VFIO_GROUP_SET_CONTAINER = request(4);
export const VFIO_GROUP_UNSET_CONTAINER = request(5);
export const VFIO_GROUP_GET_DEVICE_FD = request(6);
export const VFIO_DEVICE_GET_INFO = request(7);
export const VFIO_DEVICE_GET_REGION_INFO = request(8);
export const VFIO_DEVICE_QUERY_GFX_PLANE = request(14);
export const VFIO_DEVICE_GET_GFX_DMABUF = request(15);

export const VFIO_DEVICE_BIND_IOMMUFD = request(18);
export const VFIO_DEVICE_ATTACH_IOMMUFD_PT = request(19);
export const VFIO_DEVICE_DETACH_IOMMUFD_PT = request(20);

/** struct vfio_group_status: argsz, flags. */
export const GROUP_STATUS_SIZE = 8;
export const VFIO_GROUP_FLAGS_VIABLE = 1;
export const VFIO_GROUP_FLAGS_CONTAINER_SET = 2;

/** Longest string that GET_DEVICE_FD takes, its NUL included. */
export const PAGE_SIZE = 4096;

/** struct vfio_device_info: argsz, flags, num_regions, num_irqs, cap_offset, pad. */
export const DEVICE_INFO_MINSZ = 16;
export const VFIO_DEVICE_FLAGS_RESET = 1;
export const VFIO_DEVICE_FLAGS_PCI = 2;
export const VFIO_DEVICE_FLAGS_PLATFORM = 4;
export const VFIO_DEVICE_FLAGS_CCW = 16;
export const VFIO_DEVICE_FLAGS_AP = 32;

export interface DeviceInfo {
  flags: number;
  numRegions: number;
  numIrqs: number;
}

/** The fields after argsz. */
export function encodeDeviceInfo({ flags, numRegions, numIrqs }: DeviceInfo): Buffer {
  const bytes = Buffer.allocUnsafe(12);
  bytes.writeUInt32LE(flags, 0);
  bytes.writeUInt32LE(numRegions, 4);
  bytes.writeUInt32LE(numIrqs, 8);
  return bytes;
}

/** struct vfio_region_info: argsz, flags, index, cap_offset, size (64), offset (64). */
export const REGION_INFO_SIZE = 32;
export const VFIO_REGION_INFO_FLAG_READ = 1;
export const VFIO_REGION_INFO_FLAG_WRITE = 2;
export const VFIO_REGION_INFO_FLAG_MMAP = 4;
export const VFIO_REGION_INFO_FLAG_CAPS = 8;

export interface RegionInfo {
  argsz: number;
  flags: number;
  index: number;
  capOffset: number;
  size: number;
  offset: number;
}

export function decodeRegionInfo(bytes: Buffer): RegionInfo {
  return {
    argsz: getU32(bytes, 0),
    flags: getU32(bytes, 4),
    index: getU32(bytes, 8),
    capOffset: getU32(bytes, 12),
    size: getU64(bytes, 16),
    offset: getU64(bytes, 24),
  };
}

/** @param bytes where to; new ones otherwise */
export function encodeRegionInfo(
  info: RegionInfo,
  bytes: Buffer = Buffer.allocUnsafe(REGION_INFO_SIZE),
): Buffer {
  putU32(bytes, 0, info.argsz);
  putU32(bytes, 4, info.flags);
  putU32(bytes, 8, info.index);
  putU32(bytes, 12, info.capOffset);
  putU64(bytes, 16, info.size);
  putU64(bytes, 24, info.offset);
  return bytes;
}

/** struct vfio_region_info_cap_type: a capability header (id 16, version 16, next 32), type, subtype. */
export const VFIO_REGION_INFO_CAP_TYPE = 2;
export const REGION_CAP_TYPE_SIZE = 16;
export const VFIO_REGION_TYPE_GFX = 1;
export const VFIO_REGION_SUBTYPE_GFX_EDID = 1;

export function encodeRegionCapType(type: number, subtype: number): Buffer {
  const bytes = Buffer.alloc(REGION_CAP_TYPE_SIZE);
  bytes.writeUInt16LE(VFIO_REGION_INFO_CAP_TYPE, 0);
  bytes.writeUInt16LE(1, 2);
  bytes.writeUInt32LE(type, 8);
  bytes.writeUInt32LE(subtype, 12);
  return bytes;
}

/** PCI regions and interrupts, by index. */
export const VFIO_PCI_BAR0_REGION_INDEX = 0;
export const VFIO_PCI_BAR1_REGION_INDEX = 1;
export const VFIO_PCI_BAR2_REGION_INDEX = 2;
export const VFIO_PCI_BAR5_REGION_INDEX = 5;
export const VFIO_PCI_CONFIG_REGION_INDEX = 7;
export const VFIO_PCI_NUM_REGIONS = 9;
export const VFIO_PCI_NUM_IRQS = 5;

/**
 * struct vfio_device_gfx_plane_info: argsz, flags, drm_plane_type, drm_format, drm_format_mod (64), width, height,
 * stride, size, x_pos, y_pos, x_hot, y_hot, region_index or dmabuf_id.
 */
export const GFX_PLANE_INFO_MINSZ = 60;
export const VFIO_GFX_PLANE_TYPE_PROBE = 1;
export const VFIO_GFX_PLANE_TYPE_DMABUF = 2;
export const VFIO_GFX_PLANE_TYPE_REGION = 4;
/** DRM_FORMAT_XRGB8888, the characters XR24. */
export const DRM_FORMAT_XRGB8888 = 0x34325258;

export interface GfxPlane {
  format: number;
  width: number;
  height: number;
  stride: number;
  size: number;
  /** Its region, or the number of its buffer. */
  id: number;
}

/** Type of the plane asked for: the one below all others. */
export const DRM_PLANE_TYPE_PRIMARY = 1;
const GFX_PLANE_TYPE_OFFSET = 8;

export const gfxPlaneType = (asked: Buffer): number => asked.readUInt32LE(GFX_PLANE_TYPE_OFFSET);

/** The structure up to the last field: what the caller asked for, and the plane, or zeros when there is none. */
export function encodeGfxPlane(asked: Buffer, plane: GfxPlane | undefined): Buffer {
  const bytes = Buffer.alloc(GFX_PLANE_INFO_MINSZ);
  asked.copy(bytes, 0, 0, GFX_PLANE_TYPE_OFFSET + 4);
  if (!plane) return bytes;
  const fields: [number, number][] = [
    [12, plane.format],
    [24, plane.width],
    [28, plane.height],
    [32, plane.stride],
    [36, plane.size],
    [56, plane.id],
  ];
  for (const [offset, value] of fields) bytes.writeUInt32LE(value >>> 0, offset);
  return bytes;
}
