/**
 * The user API of an mdpy device, as far as it describes itself: its regions, and the one plane of its display.
 * @module
 */

import type { UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  DRM_FORMAT_XRGB8888,
  type GfxPlane,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_QUERY_GFX_PLANE,
  VFIO_GFX_PLANE_TYPE_REGION,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_NUM_REGIONS,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '../uapi/vfio.js';
import { queryGfxPlane } from '../vfio/gfx.js';
import { getDeviceInfo, getRegionInfo, type Region } from '../vfio/region.js';

const CONFIG_SPACE_SIZE = 0xff;
const MEMORY_OFFSET = 0x1000;
const DISPLAY_REGION = 16;
const BYTES_PER_PIXEL = 4;
const READ_WRITE = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

export interface MdpyMode {
  readonly width: number;
  readonly height: number;
}

/** Bytes of the framebuffer: the next power of two. */
export function framebufferSize({ width, height }: MdpyMode): number {
  return 2 ** Math.ceil(Math.log2(width * height * BYTES_PER_PIXEL));
}

function region(mode: MdpyMode, index: number): Region {
  if (index === VFIO_PCI_BAR0_REGION_INDEX || index === DISPLAY_REGION) {
    return {
      size: framebufferSize(mode),
      offset: MEMORY_OFFSET,
      flags: READ_WRITE | VFIO_REGION_INFO_FLAG_MMAP,
    };
  }
  if (index === VFIO_PCI_CONFIG_REGION_INDEX)
    return { size: CONFIG_SPACE_SIZE, offset: 0, flags: READ_WRITE };
  if (index < VFIO_PCI_NUM_REGIONS) return { size: 0, offset: 0, flags: 0 };
  throw new KernelError(Errno.EINVAL);
}

function shownPlane(mode: MdpyMode): GfxPlane {
  return {
    format: DRM_FORMAT_XRGB8888,
    width: mode.width,
    height: mode.height,
    stride: mode.width * BYTES_PER_PIXEL,
    size: framebufferSize(mode),
    regionIndex: DISPLAY_REGION,
  };
}

/** @throws ENOTTY for a request that is none of these */
export function mdpyIoctl(mode: MdpyMode, request: number, arg: UserPointer): number {
  switch (request) {
    case VFIO_DEVICE_GET_INFO:
      return getDeviceInfo(arg, {
        flags: VFIO_DEVICE_FLAGS_PCI,
        numRegions: VFIO_PCI_NUM_REGIONS,
        numIrqs: VFIO_PCI_NUM_IRQS,
      });
    case VFIO_DEVICE_GET_REGION_INFO:
      return getRegionInfo(arg, (index) => region(mode, index));
    case VFIO_DEVICE_QUERY_GFX_PLANE:
      return queryGfxPlane(arg, VFIO_GFX_PLANE_TYPE_REGION, shownPlane(mode));
    default:
      throw new KernelError(Errno.ENOTTY);
  }
}
