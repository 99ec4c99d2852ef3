/**
 * A process on a POWER machine with a container of a mediated device in it, and the structures of TCE's requests.
 * @module
 */

import { profiles } from '../../src/base/profile.js';
import type { TceIommu } from '../../src/iommu/tce.js';
import { Machine } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';
import { VFIO_GROUP_SET_CONTAINER, VFIO_SET_IOMMU } from '../../src/uapi/vfio.js';
import { VFIO_IOMMU_SPAPR_REGISTER_MEMORY, VFIO_IOMMU_SPAPR_TCE_CREATE } from '../../src/uapi/vfio-iommu.js';
import type { VfioContainer } from '../../src/vfio/container.js';
import { UUID, uuidOf } from '../mdev/machine.js';
import { errnoOf } from './type1.js';

const O_RDWR = 2;

export const powerMachine = (): Machine => new Machine({ profile: { ...profiles.full, arch: 'ppc64le' } });

export function region(vaddr: bigint, size: bigint, { argsz = 24, flags = 0 } = {}): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(argsz, 0);
  bytes.writeUInt32LE(flags, 4);
  bytes.writeBigUInt64LE(vaddr, 8);
  bytes.writeBigUInt64LE(size, 16);
  return bytes;
}

export function window(shift: number, size: bigint, levels: number, { argsz = 40, flags = 0 } = {}): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeUInt32LE(argsz, 0);
  bytes.writeUInt32LE(flags, 4);
  bytes.writeUInt32LE(shift, 8);
  bytes.writeBigUInt64LE(size, 16);
  bytes.writeUInt32LE(levels, 24);
  return bytes;
}

export function removal(start: bigint, argsz = 16): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(argsz, 0);
  bytes.writeBigUInt64LE(start, 8);
  return bytes;
}

export class TceContainer {
  readonly machine = powerMachine();
  readonly process: Process;
  readonly container: number;
  readonly group: number;
  readonly iommu: TceIommu;

  constructor(type: number, uid = 0) {
    this.machine.modprobe('vfio_iommu_spapr_tce');
    this.machine.modprobe('mdpy');
    for (const uuid of [UUID, uuidOf(1)]) this.machine.createMdev('mdpy', 'mdpy-vga', uuid);
    for (const group of [0, 1]) this.machine.process().chown(`/dev/vfio/${group}`, uid, uid);
    this.process = this.machine.process({ uid, gid: uid });
    this.container = this.process.open('/dev/vfio/vfio', O_RDWR);
    this.group = this.process.open('/dev/vfio/0', O_RDWR);
    this.join(this.group);
    this.process.ioctl(this.container, VFIO_SET_IOMMU, type);
    this.iommu = (this.process.fget(this.container) as VfioContainer).iommu as TceIommu;
  }

  join(group: number): void {
    const fd = Buffer.alloc(4);
    fd.writeInt32LE(this.container);
    this.process.ioctl(group, VFIO_GROUP_SET_CONTAINER, fd);
  }

  ioctl(request: number, arg: Buffer | bigint = 0n): number {
    return this.process.ioctl(this.container, request, arg) as number;
  }

  errno(request: number, arg: Buffer | bigint = 0n): string | undefined {
    return errnoOf(() => this.ioctl(request, arg));
  }

  /** Memory that is registered. */
  memory(pages: number): bigint {
    const vaddr = this.process.memory.map(pages * 4096);
    this.ioctl(VFIO_IOMMU_SPAPR_REGISTER_MEMORY, region(vaddr, BigInt(pages) * 4096n));
    return vaddr;
  }

  /** @returns where it begins */
  createWindow(shift: number, size: bigint, levels = 1): bigint {
    const bytes = window(shift, size, levels);
    this.ioctl(VFIO_IOMMU_SPAPR_TCE_CREATE, bytes);
    return bytes.readBigUInt64LE(32);
  }
}
