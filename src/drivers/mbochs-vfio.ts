/**
 * The user API of an mbochs device, as far as it describes itself: its regions with the EDID one, and its display,
 * which shows nothing until its registers are programmed.
 * @module
 */

import type { UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  encodeRegionCapType,
  REGION_CAP_TYPE_SIZE,
  REGION_INFO_SIZE,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_GET_GFX_DMABUF,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_QUERY_GFX_PLANE,
  VFIO_GFX_PLANE_TYPE_DMABUF,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_BAR2_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_NUM_REGIONS,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  VFIO_REGION_SUBTYPE_GFX_EDID,
  VFIO_REGION_TYPE_GFX,
} from '../uapi/vfio.js';
import { queryGfxPlane } from '../vfio/gfx.js';
import { getDeviceInfo, getRegionInfo, type Region } from '../vfio/region.js';

const CONFIG_SPACE_SIZE = 0xff;
const MMIO_OFFSET = 0x1000;
const MMIO_SIZE = 0x1000;
const EDID_OFFSET = 0x2000;
const EDID_SIZE = 0x1000;
const MEMORY_OFFSET = 0x3000;
const EDID_REGION_INDEX = VFIO_PCI_NUM_REGIONS;
const NUM_REGIONS = VFIO_PCI_NUM_REGIONS + 1;
const BYTES_PER_MB = 1024 * 1024;
const READ_WRITE = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
/** The driver refuses a structure with more room than the largest that it fills. */
const LARGEST_REGION_INFO = REGION_INFO_SIZE + REGION_CAP_TYPE_SIZE;

function region(mbytes: number, index: number): Region {
  switch (index) {
    case VFIO_PCI_CONFIG_REGION_INDEX:
      return { size: CONFIG_SPACE_SIZE, offset: 0, flags: READ_WRITE };
    case VFIO_PCI_BAR0_REGION_INDEX:
      return {
        size: mbytes * BYTES_PER_MB,
        offset: MEMORY_OFFSET,
        flags: READ_WRITE | VFIO_REGION_INFO_FLAG_MMAP,
      };
    case VFIO_PCI_BAR2_REGION_INDEX:
      return { size: MMIO_SIZE, offset: MMIO_OFFSET, flags: READ_WRITE };
    case EDID_REGION_INDEX:
      return {
        size: EDID_SIZE,
        offset: EDID_OFFSET,
        flags: READ_WRITE,
        capability: encodeRegionCapType(VFIO_REGION_TYPE_GFX, VFIO_REGION_SUBTYPE_GFX_EDID),
      };
    default:
      if (index >= NUM_REGIONS) throw new KernelError(Errno.EINVAL);
      return { size: 0, offset: 0, flags: 0 };
  }
}

/** @throws ENOTTY for a request that is none of these */
export function mbochsIoctl(mbytes: number, request: number, arg: UserPointer): number {
  switch (request) {
    case VFIO_DEVICE_GET_INFO:
      return getDeviceInfo(arg, {
        flags: VFIO_DEVICE_FLAGS_PCI,
        numRegions: NUM_REGIONS,
        numIrqs: VFIO_PCI_NUM_IRQS,
      });
    case VFIO_DEVICE_GET_REGION_INFO:
      return getRegionInfo(arg, (index) => region(mbytes, index), LARGEST_REGION_INFO);
    case VFIO_DEVICE_QUERY_GFX_PLANE:
      return queryGfxPlane(arg, VFIO_GFX_PLANE_TYPE_DMABUF);
    case VFIO_DEVICE_GET_GFX_DMABUF:
      // No plane was ever shown, so no id stands for one.
      throw new KernelError(Errno.ENOENT);
    default:
      throw new KernelError(Errno.ENOTTY);
  }
}
