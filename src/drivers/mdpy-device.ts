/**
 * An mdpy device as its user sees it (samples/vfio-mdev/mdpy.c): a framebuffer of fixed size in PCI memory, and a vendor
 * capability that describes it. Reset draws a gray gradient.
 *
 * Modelled with its peculiarity: each piece of a read or write of the framebuffer's region reaches the first bytes of
 * the framebuffer, whatever its offset; only a mapping reaches the rest.
 * @module
 */

import { devPrint } from '../base/dev-print.js';
import type { UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { VfioDevice } from '../vfio/device.js';
import { PCI_CAPABILITY_LIST, PCI_STATUS, PCI_STATUS_CAP_LIST } from '../pci/regs.js';
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
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '../uapi/vfio.js';
import { VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_RESET, VFIO_DEVICE_SET_IRQS } from '../uapi/vfio-irq.js';
import { readPieces, writePieces } from '../vfio/access.js';
import { queryGfxPlane } from '../vfio/gfx.js';
import { getIrqInfo } from '../vfio/irq.js';
import { getDeviceInfo, getRegionInfo, mmapFlag, type Region } from '../vfio/region.js';
import { DISPLAY_CONFIG_SIZE, DisplayConfig } from './display-config.js';

const VENDOR = 0x1b36;
const DEVICE = 0x000f;
const BAR_PREFETCH = 8;
const MEMORY_OFFSET = 0x1000;
const DISPLAY_REGION = 16;
const BYTES_PER_PIXEL = 4;
const READ_WRITE = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

/** The vendor capability: id, next, size, then format, width and height of the framebuffer. */
const CAPABILITY = 0x40;
const CAPABILITY_ID_VENDOR = 9;
const CAPABILITY_SIZE = 0x10;

export interface MdpyMode {
  readonly width: number;
  readonly height: number;
}

/** Bytes of the framebuffer: the next power of two. */
export function framebufferSize({ width, height }: MdpyMode): number {
  return 2 ** Math.ceil(Math.log2(width * height * BYTES_PER_PIXEL));
}

export class MdpyDevice {
  readonly #config: DisplayConfig;
  /** What region accesses and mappings share. */
  readonly #framebuffer: Buffer;
  /** Known once user space has asked for the device's info. */
  #numIrqs = 0;

  constructor(
    readonly vdev: VfioDevice,
    readonly mode: MdpyMode,
  ) {
    const size = framebufferSize(mode);
    this.#framebuffer = vdev.core.devicePages.alloc(vdev, MEMORY_OFFSET, size);
    const bar = { index: VFIO_PCI_BAR0_REGION_INDEX, size, kind: BAR_PREFETCH };
    this.#config = new DisplayConfig(VENDOR, DEVICE, [bar], (_index, address) =>
      devPrint(vdev.device, `BAR0 @ 0x${address.toString(16)}`),
    );
    this.#config.set16(PCI_STATUS, PCI_STATUS_CAP_LIST).set8(PCI_CAPABILITY_LIST, CAPABILITY);
    this.#config.set8(CAPABILITY, CAPABILITY_ID_VENDOR).set8(CAPABILITY + 2, CAPABILITY_SIZE);
    this.#config.set32(CAPABILITY + 4, DRM_FORMAT_XRGB8888);
    this.#config.set32(CAPABILITY + 8, mode.width).set32(CAPABILITY + 12, mode.height);
    this.#reset();
  }

  #reset(): void {
    const { width, height } = this.mode;
    const stride = width * BYTES_PER_PIXEL;
    for (let line = 0; line < height; line++) {
      this.#framebuffer.fill(Math.floor((line * 255) / height), line * stride, (line + 1) * stride);
    }
  }

  /** @throws ENOTTY for a request that is none of these; EINVAL for SET_IRQS: there are no interrupts */
  ioctl(request: number, arg: UserPointer): number {
    switch (request) {
      case VFIO_DEVICE_GET_INFO: {
        const info = { flags: VFIO_DEVICE_FLAGS_PCI, numRegions: VFIO_PCI_NUM_REGIONS };
        return getDeviceInfo(arg, { ...info, numIrqs: VFIO_PCI_NUM_IRQS }, () => {
          this.#numIrqs = VFIO_PCI_NUM_IRQS;
        });
      }
      case VFIO_DEVICE_GET_REGION_INFO:
        return getRegionInfo(arg, (index) => this.#region(index));
      case VFIO_DEVICE_GET_IRQ_INFO:
        return getIrqInfo(arg, this.#numIrqs, (info) => {
          info.count = 0;
        });
      case VFIO_DEVICE_SET_IRQS:
        throw new KernelError(Errno.EINVAL);
      case VFIO_DEVICE_QUERY_GFX_PLANE:
        return queryGfxPlane(arg, VFIO_GFX_PLANE_TYPE_REGION, () => this.#plane);
      case VFIO_DEVICE_RESET:
        this.#reset();
        return 0;
      default:
        throw new KernelError(Errno.ENOTTY);
    }
  }

  #region(index: number): Region {
    const size = this.#framebuffer.length;
    if (index === VFIO_PCI_BAR0_REGION_INDEX || index === DISPLAY_REGION)
      return { size, offset: MEMORY_OFFSET, flags: READ_WRITE | mmapFlag(this.vdev.core) };
    if (index === VFIO_PCI_CONFIG_REGION_INDEX)
      return { size: DISPLAY_CONFIG_SIZE, offset: 0, flags: READ_WRITE };
    if (index < VFIO_PCI_NUM_REGIONS) return { size: 0, offset: 0, flags: 0 };
    throw new KernelError(Errno.EINVAL);
  }

  get #plane(): GfxPlane {
    const { width, height } = this.mode;
    const size = this.#framebuffer.length;
    const stride = width * BYTES_PER_PIXEL;
    return { format: DRM_FORMAT_XRGB8888, width, height, stride, size, id: DISPLAY_REGION };
  }

  /** @throws EFAULT between the regions and beyond them */
  read(length: number, offset: number): Uint8Array {
    return readPieces(length, offset, (at, size) => {
      if (at < DISPLAY_CONFIG_SIZE) return this.#config.read(at, size);
      this.#assertInMemory(at, size, 'RD');
      return this.#framebuffer.readUIntLE(0, size);
    });
  }

  /** Same errors as {@link read}. */
  write(bytes: Uint8Array, offset: number): number {
    return writePieces(bytes, offset, (at, value, size) => {
      if (at < DISPLAY_CONFIG_SIZE) {
        this.#config.write(at, value, size);
        return;
      }
      this.#assertInMemory(at, size, 'WR');
      this.#framebuffer.writeUIntLE(value, 0, size);
    });
  }

  #assertInMemory(at: number, size: number, access: 'RD' | 'WR'): void {
    if (at >= MEMORY_OFFSET && at + size <= MEMORY_OFFSET + this.#framebuffer.length) return;
    devPrint(this.vdev.device, `mdev_access: ${access} @0x${BigInt(at).toString(16)} (unhandled)`);
    throw new KernelError(Errno.EFAULT);
  }

  /**
   * The beginning of the framebuffer.
   * @throws EINVAL for another offset than the framebuffer's, and for more than it has
   */
  mmap(offset: number, length: number): Uint8Array {
    if (offset !== MEMORY_OFFSET || length > this.#framebuffer.length) throw new KernelError(Errno.EINVAL);
    return this.#framebuffer.subarray(0, length);
  }
}
