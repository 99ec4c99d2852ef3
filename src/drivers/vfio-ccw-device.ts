/**
 * A vfio_ccw device as its user sees it (drivers/s390/cio/vfio_ccw_ops.c, vfio_ccw_chp.c, vfio_ccw_async.c): a region
 * in which I/O is started, regions for halting it, for the state of the subchannel and for its reports, and an
 * interrupt each for I/O, reports, and for being asked back.
 *
 * Differs: no device answers. What a guest starts ends as on a subchannel whose device is gone, with ENODEV. Numbers
 * of the host's byte order are little endian.
 * @module
 */

import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  encodeRegionCapType,
  VFIO_DEVICE_FLAGS_CCW,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '../uapi/vfio.js';
import { VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_RESET, VFIO_DEVICE_SET_IRQS } from '../uapi/vfio-irq.js';
import { getDeviceInfo, getRegionInfo, type Region } from '../vfio/region.js';
import { TriggerIrqs } from '../vfio/trigger-irq.js';
import type { Subchannel } from './css.js';

/** struct ccw_io_region: operation request, subchannel status, interruption response, return code. */
const IO_REGION_SIZE = 12 + 12 + 96 + 4;
const SCSW_OFFSET = 12;
const FUNCTION_START = 0x4000;
const FUNCTION_HALT_OR_CLEAR = 0x3000;

const SCHIB_SIZE = 52;

/** A region begins at its index times this. */
const REGION_SPACING = 1 << 10;
/** VFIO_REGION_TYPE_CCW */
const TYPE_CCW = 2;

const READ = VFIO_REGION_INFO_FLAG_READ;
const READ_WRITE = READ | VFIO_REGION_INFO_FLAG_WRITE;

/** Regions by index: size, flags, and the subtype of those beyond the first. */
const REGIONS = [
  { size: IO_REGION_SIZE, flags: READ_WRITE, subtype: 0 },
  { size: 8, flags: READ_WRITE, subtype: 1 },
  { size: SCHIB_SIZE, flags: READ, subtype: 2 },
  { size: 8, flags: READ, subtype: 3 },
];
const IO_REGION = 0;
const SCHIB_REGION = 2;

const NUM_IRQS = 3;
const REQ_IRQ_INDEX = 2;

function fail(errno: number): never {
  throw new KernelError(errno);
}

export class CcwDevice {
  readonly #irqs = new TriggerIrqs(NUM_IRQS);
  readonly #regions = REGIONS.map(({ size }) => Buffer.alloc(size));

  constructor(readonly subchannel: Subchannel) {
    schib(subchannel).copy(this.#regions[SCHIB_REGION]!);
  }

  /** @throws ENOTTY for a request that is none of these, and what each says */
  ioctl(request: number, arg: UserPointer, caller: Caller): number {
    switch (request) {
      case VFIO_DEVICE_GET_INFO: {
        const flags = VFIO_DEVICE_FLAGS_CCW | VFIO_DEVICE_FLAGS_RESET;
        return getDeviceInfo(arg, { flags, numRegions: REGIONS.length, numIrqs: NUM_IRQS });
      }
      case VFIO_DEVICE_GET_REGION_INFO:
        return getRegionInfo(arg, region);
      case VFIO_DEVICE_GET_IRQ_INFO:
        return this.#irqs.info(arg);
      case VFIO_DEVICE_SET_IRQS:
        return this.#irqs.set(arg, caller);
      case VFIO_DEVICE_RESET:
        return 0;
      default:
        return fail(Errno.ENOTTY);
    }
  }

  /** @throws EINVAL for a region that is not there, and for bytes beyond its end */
  read(length: number, offset: number): Uint8Array {
    const { bytes, at } = this.#place(length, offset);
    return Buffer.from(bytes.subarray(at, at + length));
  }

  /**
   * Writing the I/O region or the one for commands starts them.
   * @throws EINVAL as {@link read}, and for a region that is read only
   * @throws ENODEV for a start or a command; EOPNOTSUPP for a halt or a clear in the I/O region
   */
  write(data: Uint8Array, offset: number): number {
    const { index, bytes, at } = this.#place(data.length, offset);
    if (REGIONS[index]!.flags !== READ_WRITE) fail(Errno.EINVAL);
    bytes.set(data, at);
    const errno = index === IO_REGION ? startResult(bytes) : Errno.ENODEV;
    bytes.writeInt32LE(-errno, bytes.length - 4);
    if (errno !== 0) fail(errno);
    return data.length;
  }

  #place(length: number, offset: number): { index: number; bytes: Buffer; at: number } {
    const index = Math.floor(offset / REGION_SPACING);
    const at = offset % REGION_SPACING;
    const bytes = this.#regions[index] ?? fail(Errno.EINVAL);
    if (at + length > bytes.length) fail(Errno.EINVAL);
    return { index, bytes, at };
  }

  /** The device is wanted back. */
  request(): void {
    this.#irqs.trigger(REQ_IRQ_INDEX);
  }

  close(): void {
    this.#irqs.disable();
  }
}

function startResult(bytes: Buffer): number {
  const word = bytes.readUInt32BE(SCSW_OFFSET);
  if (word & FUNCTION_START) return Errno.ENODEV;
  return word & FUNCTION_HALT_OR_CLEAR ? Errno.EOPNOTSUPP : 0;
}

function region(index: number): Region {
  const { size, flags, subtype } = REGIONS[index] ?? fail(Errno.EINVAL);
  const capability = subtype === 0 ? {} : { capability: encodeRegionCapType(TYPE_CCW, subtype) };
  return { size, flags, offset: index * REGION_SPACING, ...capability };
}

/** The path management control word, big endian as the machine defines it; no status. */
function schib({ data, pathMask, chpids }: Subchannel): Buffer {
  const bytes = Buffer.alloc(SCHIB_SIZE);
  const number = data.device?.split('.')[2];
  // Enabled, and a valid device number.
  bytes.writeUInt16BE(0x80 | (number === undefined ? 0 : 1), 4);
  bytes.writeUInt16BE(Number.parseInt(number ?? '0', 16), 6);
  bytes[11] = pathMask;
  bytes[14] = 0xff;
  bytes[15] = pathMask;
  bytes.set(chpids, 16);
  return bytes;
}
