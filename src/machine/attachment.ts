/**
 * A VM that is not one: what a virtual machine monitor does to give a guest a mediated device, done by an emulated
 * process. It makes a VM and its VFIO device, maps the guest's memory for DMA, adds the group or the device to the VM and
 * opens the device, in the order in which QEMU does. The device is in use until the attachment ends.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { uuidIsValid } from '../lib/guid.js';
import { didYouMean } from '../lib/nearest.js';
import { after, asleep, eachInTurn, type Sleeps } from '../lib/sleep.js';
import {
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
} from '../uapi/iommufd.js';
import { KVM_CREATE_DEVICE, KVM_CREATE_VM, KVM_DEV_TYPE_VFIO, KVM_SET_DEVICE_ATTR } from '../uapi/kvm.js';
import {
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_SET_IOMMU,
} from '../uapi/vfio.js';
import { VFIO_IOMMU_MAP_DMA, VFIO_TYPE1v2_IOMMU } from '../uapi/vfio-iommu.js';
import { LineError } from './control-line.js';
import type { Machine } from './machine.js';
import type { Process } from './process.js';

const O_RDWR = 2;
const PAGE_SIZE = 4096;
const MEGABYTE = 1024 * 1024;
const LARGEST_MEMORY = 1024 * MEGABYTE;
const READ_WRITE = 3;

export interface AttachmentOptions {
  uuid: string;
  /** Name of the VM, for people. */
  vm: string;
  /** Bytes of guest memory, a multiple of a page. */
  memory: number;
  /** Through an iommufd and the device's own node instead of a container and the group. */
  iommufd: boolean;
}

const units: Readonly<Record<string, number>> = { '': 1, K: 1024, M: MEGABYTE, G: 1024 * MEGABYTE };

const keys: readonly string[] = ['vm', 'memory', 'iommufd'];

export const attachmentDefaults = (uuid: string): AttachmentOptions => ({
  uuid,
  vm: uuid,
  memory: 64 * MEGABYTE,
  iommufd: false,
});

/**
 * Reads `UUID [vm=NAME] [memory=SIZE] [iommufd]`; SIZE in bytes, or with K, M or G.
 * @throws LineError for anything else
 */
export function parseAttachment(text: string): AttachmentOptions {
  const [uuid = '', ...words] = text.trim().split(/\s+/);
  if (!uuidIsValid(uuid)) throw new LineError(`expected a UUID, got "${uuid}"`);
  const options = attachmentDefaults(uuid);
  const seen = new Set<string>();
  for (const word of words) {
    const [key = '', value] = word.split(/=(.*)/s);
    if (seen.has(key)) throw new LineError(`${key}: expected once, got "${word}" too`);
    seen.add(key);
    if (word === 'iommufd') options.iommufd = true;
    else if (key === 'vm' && value !== undefined) options.vm = vmName(value);
    else if (key === 'memory' && value !== undefined) options.memory = memorySize(value);
    else
      throw new LineError(
        `expected vm=NAME, memory=SIZE or iommufd, got "${word}"${keys.includes(key) ? '' : didYouMean(key, keys)}`,
      );
  }
  return options;
}

function vmName(text: string): string {
  if (/^[^=]+$/.test(text)) return text;
  throw new LineError(`vm: expected a name without blanks and "=", got "${text}"`);
}

function memorySize(text: string): number {
  const [, digits, unit] = /^(\d+)([KMG]?)$/.exec(text) ?? [];
  const memory = digits === undefined ? Number.NaN : Number(digits) * units[unit!]!;
  if (memory >= PAGE_SIZE && memory <= LARGEST_MEMORY && memory % PAGE_SIZE === 0) return memory;
  throw new LineError(`memory: expected a multiple of 4K up to 1G, such as 64M, got "${text}"`);
}

function int32s(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [n, value] of values.entries()) bytes.writeInt32LE(value, 4 * n);
  return bytes;
}

function uint64s(...values: bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [n, value] of values.entries()) bytes.writeBigUInt64LE(value, 8 * n);
  return bytes;
}

export class Attachment {
  readonly process: Process;
  /** Address of the guest's memory in the process; the guest sees it at 0. */
  readonly address: bigint;
  #device = -1;

  private constructor(
    readonly machine: Machine,
    readonly options: AttachmentOptions,
  ) {
    this.process = machine.process();
    this.address = this.process.memory.map(options.memory);
  }

  /**
   * Attaches a VM; sleeps where a request does.
   * @throws ENODEV when there is no such device; EBUSY while somebody else has its group; what any of the steps fails with
   */
  static start(machine: Machine, options: AttachmentOptions): Sleeps<Attachment> {
    for (const module of ['kvm_intel', 'vfio_iommu_type1']) machine.modprobe(module);
    const attachment = new Attachment(machine, options);
    const failed = (error: unknown): never => {
      attachment.end();
      throw error;
    };
    try {
      const attached = eachInTurn(attachment.#steps(), (step) => step());
      return asleep(attached) ? attached.then(() => attachment, failed) : attachment;
    } catch (error) {
      return failed(error);
    }
  }

  /** Descriptor of the open device. */
  get device(): number {
    return this.#device;
  }

  /** Each step begins when the one before it is through. */
  #steps(): Iterable<() => Sleeps<void>> {
    const { process } = this;
    const { uuid, iommufd } = this.options;
    if (!process.exists(`/sys/bus/mdev/devices/${uuid}`)) throw new KernelError(Errno.ENODEV);
    return iommufd ? this.#openByIommufd() : this.#openByGroup();
  }

  #ioctl(fd: number, request: number, arg: Buffer | number = 0): () => Sleeps<void> {
    return () => after(this.process.ioctl(fd, request, arg), () => {});
  }

  /** Makes a VM and its VFIO device, whose descriptor `made` gets. */
  *#createVm(made: (vfio: number) => void): Generator<() => Sleeps<void>> {
    const { process } = this;
    let vm = -1;
    yield () =>
      after(process.ioctl(process.open('/dev/kvm', O_RDWR), KVM_CREATE_VM), (fd) => {
        vm = fd;
      });
    const device = int32s(KVM_DEV_TYPE_VFIO, -1, 0);
    yield this.#ioctl(vm, KVM_CREATE_DEVICE, device);
    made(device.readInt32LE(4));
  }

  #addToVm(vfio: number, fd: number): () => Sleeps<void> {
    const { process } = this;
    const data = process.memory.map(PAGE_SIZE);
    process.memory.write(data, int32s(fd));
    const add = Buffer.concat([int32s(0, 1), uint64s(1n, data)]);
    return this.#ioctl(vfio, KVM_SET_DEVICE_ATTR, add);
  }

  *#openByGroup(): Generator<() => Sleeps<void>> {
    const { process, address } = this;
    const { uuid, memory } = this.options;
    let vfio = -1;
    yield* this.#createVm((fd) => {
      vfio = fd;
    });
    const number = process.readlink(`/sys/bus/mdev/devices/${uuid}/iommu_group`).split('/').pop();
    const group = process.open(`/dev/vfio/${number}`, O_RDWR);
    const container = process.open('/dev/vfio/vfio', O_RDWR);
    yield this.#ioctl(group, VFIO_GROUP_SET_CONTAINER, int32s(container));
    yield this.#ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
    yield this.#addToVm(vfio, group);
    const map = Buffer.concat([int32s(32, READ_WRITE), uint64s(address, 0n, BigInt(memory))]);
    yield this.#ioctl(container, VFIO_IOMMU_MAP_DMA, map);
    yield () =>
      after(process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${uuid}\0`)), (fd) => {
        this.#device = fd;
      });
  }

  *#openByIommufd(): Generator<() => Sleeps<void>> {
    const { process, address } = this;
    const { uuid, memory } = this.options;
    let vfio = -1;
    yield* this.#createVm((fd) => {
      vfio = fd;
    });
    const [name] = process.list(`/sys/bus/mdev/devices/${uuid}/vfio-dev`);
    const iommufd = process.open('/dev/iommu', O_RDWR);
    this.#device = process.open(`/dev/vfio/devices/${name}`, O_RDWR);
    yield this.#addToVm(vfio, this.#device);
    yield this.#ioctl(this.#device, VFIO_DEVICE_BIND_IOMMUFD, int32s(16, 0, iommufd, 0));
    const alloc = int32s(12, 0, 0);
    yield this.#ioctl(iommufd, IOMMU_IOAS_ALLOC, alloc);
    const ioas = alloc.readUInt32LE(8);
    yield this.#ioctl(this.#device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, int32s(12, 0, ioas));
    const flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE;
    const map = Buffer.concat([int32s(40, flags, ioas, 0), uint64s(address, BigInt(memory), 0n)]);
    yield this.#ioctl(iommufd, IOMMU_IOAS_MAP, map);
  }

  /** The guest is gone, and with it every reference to the device. */
  end(): void {
    this.process.exit();
  }
}
