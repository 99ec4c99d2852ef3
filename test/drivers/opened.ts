/**
 * A device opened through its group and a container, and the words that tests use on it.
 * @module
 */

import { errnoName, KernelError } from '../../src/lib/errno.js';
import type { Machine } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';
import {
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_SET_IOMMU,
} from '../../src/uapi/vfio.js';
import { VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA } from '../../src/uapi/vfio-iommu.js';
import { VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_SET_IRQS } from '../../src/uapi/vfio-irq.js';
import { Shell, typesOf, UUID } from '../mdev/machine.js';

const O_RDWR = 2;
const TYPE1V2 = 3;
/** Where the configuration space of devices begins that follow vfio-pci. */
export const CONFIG = 7 * 2 ** 40;

export const words = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [n, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, 4 * n);
  return bytes;
};

/** The name of the errno that a call fails with; the result of one that does not. */
export function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    if (error instanceof KernelError) return errnoName(error.errno);
    throw error;
  }
}

export class Opened {
  readonly process: Process;
  readonly container: number;
  readonly group: number;
  fd: number;

  constructor(
    readonly machine: Machine,
    readonly uuid: string,
  ) {
    this.process = machine.process();
    const { process } = this;
    const number = process.readlink(`/sys/bus/mdev/devices/${uuid}/iommu_group`).split('/').pop();
    this.container = process.open('/dev/vfio/vfio', O_RDWR);
    this.group = process.open(`/dev/vfio/${number}`, O_RDWR);
    process.ioctl(this.group, VFIO_GROUP_SET_CONTAINER, words(this.container));
    process.ioctl(this.container, VFIO_SET_IOMMU, TYPE1V2);
    this.fd = this.#open();
  }

  #open(): number {
    return this.process.ioctl(this.group, VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${this.uuid}\0`)) as number;
  }

  /** Closes the device and opens it again. */
  reopen(): void {
    this.process.close(this.fd);
    this.fd = this.#open();
  }

  /** Hexadecimal digits of some bytes. */
  read(length: number, offset: number): string {
    return Buffer.from(this.process.pread(this.fd, length, offset)).toString('hex');
  }

  /** @param bytes hexadecimal digits */
  write(bytes: string, offset: number): number {
    return this.process.pwrite(this.fd, Buffer.from(bytes, 'hex'), offset) as number;
  }

  ioctl(request: number, arg: Buffer | number = 0): number {
    return this.process.ioctl(this.fd, request, arg) as number;
  }

  /** Flags, number of regions, number of interrupts. */
  info(): number[] {
    const info = words(24, 0, 0, 0, 0, 0);
    this.ioctl(VFIO_DEVICE_GET_INFO, info);
    return [4, 8, 12].map((offset) => info.readUInt32LE(offset));
  }

  /** @returns flags, size and offset */
  region(index: number, argsz = 32): [number, number, number] {
    const info = Buffer.concat([words(argsz, 0, index), Buffer.alloc(116)]);
    this.ioctl(VFIO_DEVICE_GET_REGION_INFO, info);
    return [info.readUInt32LE(4), Number(info.readBigUInt64LE(16)), Number(info.readBigUInt64LE(24))];
  }

  /** @returns flags and count */
  irq(index: number, flags = 0): [number, number] {
    const info = words(16, flags, index, 0);
    this.ioctl(VFIO_DEVICE_GET_IRQ_INFO, info);
    return [info.readUInt32LE(4), info.readUInt32LE(12)];
  }

  /** VFIO_DEVICE_SET_IRQS for one interrupt, or as many as there is data for. */
  setIrqs(index: number, flags: number, data: Buffer = Buffer.alloc(0), count = 1, start = 0): number {
    const header = words(20 + data.length, flags, index, start, count);
    return this.ioctl(VFIO_DEVICE_SET_IRQS, Buffer.concat([header, data]));
  }

  /** How often an eventfd was signalled since this was asked last. */
  signals(eventfd: number): number {
    const bytes = outcome(() => this.process.read(eventfd, 8));
    return typeof bytes === 'string' ? 0 : Number(Buffer.from(bytes).readBigUInt64LE());
  }

  /** Maps new memory of the process at an IOVA, and returns its address. */
  map(iova: bigint, length: number): bigint {
    const address = this.process.memory.map(length);
    const request = Buffer.concat([words(32, 3), Buffer.alloc(24)]);
    request.writeBigUInt64LE(address, 8);
    request.writeBigUInt64LE(iova, 16);
    request.writeBigUInt64LE(BigInt(length), 24);
    this.process.ioctl(this.container, VFIO_IOMMU_MAP_DMA, request);
    return address;
  }

  unmap(iova: bigint, length: number): void {
    const request = Buffer.concat([words(24, 0), Buffer.alloc(16)]);
    request.writeBigUInt64LE(iova, 8);
    request.writeBigUInt64LE(BigInt(length), 16);
    this.process.ioctl(this.container, VFIO_IOMMU_UNMAP_DMA, request);
  }
}

/** A new device of a sample driver. */
export function openSample(type: string): Opened & { readonly log: readonly string[] } {
  const [driver = ''] = type.split('-');
  const sh = new Shell(driver, 'vfio_iommu_type1');
  sh.echo(UUID, `${typesOf(driver)}/${type}/create`);
  const opened = new Opened(sh.machine, UUID);
  const before = sh.machine.core.log.lines.length;
  return Object.defineProperty(opened, 'log', {
    get: () => sh.machine.core.log.lines.slice(before),
  }) as Opened & { log: readonly string[] };
}
