/**
 * An mbochs device as its user sees it (samples/vfio-mdev/mbochs.c): video memory, a region of registers, a region for
 * the EDID, and a picture that is handed out as a dma-buf.
 *
 * Modelled with its peculiarity: a read or write of the memory region reaches memory two pages further on than a
 * mapping of the same offset. Differs: for the last two pages the kernel reads beyond its table of pages; here they read
 * as zeros and writes there are dropped. What the kernel reads from its stack reads as zeros too.
 * @module
 */

import { devPrint } from '../base/dev-print.js';
import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { MdevDevice } from '../mdev/device.js';
import type { VfioDevice } from '../vfio/device.js';
import {
  DRM_PLANE_TYPE_PRIMARY,
  encodeRegionCapType,
  type GfxPlane,
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
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  VFIO_REGION_SUBTYPE_GFX_EDID,
  VFIO_REGION_TYPE_GFX,
} from '../uapi/vfio.js';
import { VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_RESET, VFIO_DEVICE_SET_IRQS } from '../uapi/vfio-irq.js';
import { readPieces, writePieces } from '../vfio/access.js';
import { queryGfxPlane } from '../vfio/gfx.js';
import { getIrqInfo } from '../vfio/irq.js';
import { getDeviceInfo, getRegionInfo, mmapFlag, type Region } from '../vfio/region.js';
import { DISPLAY_CONFIG_SIZE, DisplayConfig } from './display-config.js';
import { EDID_REGION_SIZE, MbochsEdid } from './mbochs-edid.js';
import { MbochsMemory } from './mbochs-memory.js';
import { MbochsVbe } from './mbochs-vbe.js';

const VENDOR = 0x1234;
const DEVICE = 0x1111;
const BAR_PREFETCH = 8;
const MMIO_OFFSET = 0x1000;
const MMIO_SIZE = 0x1000;
const EDID_OFFSET = 0x2000;
const MEMORY_OFFSET = 0x3000;
/** Where region accesses take the memory to begin. */
const MEMORY_ACCESS_OFFSET = MMIO_OFFSET;
const EDID_REGION_INDEX = VFIO_PCI_NUM_REGIONS;
const NUM_REGIONS = VFIO_PCI_NUM_REGIONS + 1;
const BYTES_PER_MB = 1024 * 1024;
const READ_WRITE = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
/** The driver refuses a structure with more room than the largest that it fills. */
const LARGEST_REGION_INFO = REGION_INFO_SIZE + REGION_CAP_TYPE_SIZE;

/** In the register region: the EDID, then the DISPI registers. */
const EDID_WINDOW_SIZE = 0x400;
const DISPI = 0x500;
const DISPI_END = 0x516;

export interface MbochsModel {
  readonly mbytes: number;
  /** The largest picture that the type is made for; 0 for any. */
  readonly maxX: number;
  readonly maxY: number;
}

type Size = 1 | 2 | 4;

export class MbochsDevice {
  readonly #config: DisplayConfig;
  readonly #vbe: MbochsVbe;
  readonly #edid: MbochsEdid;
  readonly #memory: MbochsMemory;

  constructor(
    readonly vdev: VfioDevice,
    { mbytes, maxX, maxY }: MbochsModel,
  ) {
    const mdev = vdev.device as MdevDevice;
    const print = (message: string) => devPrint(mdev, message);
    const size = mbytes * BYTES_PER_MB;
    const bars = [
      { index: VFIO_PCI_BAR0_REGION_INDEX, size, kind: BAR_PREFETCH },
      { index: VFIO_PCI_BAR2_REGION_INDEX, size: MMIO_SIZE, kind: 0 },
    ];
    this.#config = new DisplayConfig(VENDOR, DEVICE, bars, (index, address) =>
      print(`BAR #${index} @ 0x${address.toString(16)}`),
    );
    this.#vbe = new MbochsVbe(size, print);
    this.#edid = new MbochsEdid(maxX, maxY);
    this.#memory = new MbochsMemory(vdev, MEMORY_OFFSET, size, print);
  }

  /** @throws ENOTTY for a request that is none of these; EINVAL for SET_IRQS: there are no interrupts */
  ioctl(request: number, arg: UserPointer, caller: Caller): number {
    switch (request) {
      case VFIO_DEVICE_GET_INFO: {
        const info = { flags: VFIO_DEVICE_FLAGS_PCI, numRegions: NUM_REGIONS };
        return getDeviceInfo(arg, { ...info, numIrqs: VFIO_PCI_NUM_IRQS });
      }
      case VFIO_DEVICE_GET_REGION_INFO:
        return getRegionInfo(arg, (index) => this.#region(index), LARGEST_REGION_INFO);
      case VFIO_DEVICE_GET_IRQ_INFO:
        return getIrqInfo(arg, VFIO_PCI_NUM_IRQS, (info) => {
          info.count = 0;
        });
      case VFIO_DEVICE_SET_IRQS:
        throw new KernelError(Errno.EINVAL);
      case VFIO_DEVICE_QUERY_GFX_PLANE:
        return queryGfxPlane(arg, VFIO_GFX_PLANE_TYPE_DMABUF, (planeType) => this.#plane(planeType));
      case VFIO_DEVICE_GET_GFX_DMABUF:
        return caller.install(this.#memory.export(arg.read(4).readUInt32LE(0)));
      case VFIO_DEVICE_RESET:
        this.#vbe.reset();
        return 0;
      default:
        throw new KernelError(Errno.ENOTTY);
    }
  }

  #region(index: number): Region {
    switch (index) {
      case VFIO_PCI_CONFIG_REGION_INDEX:
        return { size: DISPLAY_CONFIG_SIZE, offset: 0, flags: READ_WRITE };
      case VFIO_PCI_BAR0_REGION_INDEX: {
        const flags = READ_WRITE | mmapFlag(this.vdev.core);
        return { size: this.#memory.size, offset: MEMORY_OFFSET, flags };
      }
      case VFIO_PCI_BAR2_REGION_INDEX:
        return { size: MMIO_SIZE, offset: MMIO_OFFSET, flags: READ_WRITE };
      case EDID_REGION_INDEX: {
        const capability = encodeRegionCapType(VFIO_REGION_TYPE_GFX, VFIO_REGION_SUBTYPE_GFX_EDID);
        return { size: EDID_REGION_SIZE, offset: EDID_OFFSET, flags: READ_WRITE, capability };
      }
      default:
        if (index >= NUM_REGIONS) throw new KernelError(Errno.EINVAL);
        return { size: 0, offset: 0, flags: 0 };
    }
  }

  #plane(planeType: number): GfxPlane | undefined {
    const mode = planeType === DRM_PLANE_TYPE_PRIMARY ? this.#vbe.mode : undefined;
    return mode && { ...mode, id: this.#memory.dmabufOf(mode) };
  }

  /** @throws EFAULT between the regions, across the end of one, and beyond them */
  read(length: number, offset: number): Uint8Array {
    return readPieces(length, offset, (at, size) => {
      if (at < DISPLAY_CONFIG_SIZE) return this.#config.read(at, size);
      if (within(at, size, MMIO_OFFSET, MMIO_SIZE)) return this.#readRegister(at - MMIO_OFFSET, size);
      if (within(at, size, EDID_OFFSET, EDID_REGION_SIZE)) return this.#edid.read(at - EDID_OFFSET, size);
      return this.#memoryAt(at, size)?.readUIntLE(0, size) ?? 0;
    });
  }

  /** Same errors as {@link read}. */
  write(bytes: Uint8Array, offset: number): number {
    return writePieces(bytes, offset, (at, value, size) => {
      if (at < DISPLAY_CONFIG_SIZE) this.#config.write(at, value, size);
      else if (within(at, size, MMIO_OFFSET, MMIO_SIZE)) this.#writeRegister(at - MMIO_OFFSET, value, size);
      else if (within(at, size, EDID_OFFSET, EDID_REGION_SIZE))
        this.#edid.write(at - EDID_OFFSET, value, size);
      else this.#memoryAt(at, size)?.writeUIntLE(value, 0, size);
    });
  }

  #readRegister(offset: number, size: Size): number {
    if (offset < EDID_WINDOW_SIZE) return this.#edid.seen(offset, size);
    return isDispi(offset, size) ? this.#vbe.read((offset - DISPI) >> 1) : 0;
  }

  #writeRegister(offset: number, value: number, size: Size): void {
    if (isDispi(offset, size)) this.#vbe.write((offset - DISPI) >> 1, value);
  }

  /** Memory from an offset of the device on; undefined for the pages that are not there. */
  #memoryAt(at: number, size: number): Buffer | undefined {
    if (!within(at, size, MEMORY_OFFSET, this.#memory.size)) throw new KernelError(Errno.EFAULT);
    const offset = at - MEMORY_ACCESS_OFFSET;
    return offset < this.#memory.size ? this.#memory.bytes.subarray(offset) : undefined;
  }

  /**
   * The beginning of the memory.
   * @throws EINVAL for another offset than the memory's, and for more than there is
   */
  mmap(offset: number, length: number): Uint8Array {
    if (offset !== MEMORY_OFFSET || length > this.#memory.size) throw new KernelError(Errno.EINVAL);
    return this.#memory.bytes.subarray(0, length);
  }

  /** The last user has gone: registers stay, memory does not. */
  close(): void {
    this.#memory.forget();
  }
}

function within(at: number, size: number, start: number, length: number): boolean {
  return at >= start && at + size <= start + length;
}

/** DISPI registers are accessed as words, or not at all. */
function isDispi(offset: number, size: Size): boolean {
  return offset >= DISPI && offset < DISPI_END && size === 2;
}
