/**
 * A process with a container of a mediated device in it, and the structures of type1's requests.
 * @module
 */

import { type Dma, type DmaUser, IOMMU_READ, IOMMU_WRITE } from '../../src/iommu/backend.js';
import type { Type1Iommu } from '../../src/iommu/type1.js';
import { KernelError } from '../../src/lib/errno.js';
import { Machine } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';
import { VFIO_GROUP_SET_CONTAINER, VFIO_GROUP_UNSET_CONTAINER, VFIO_SET_IOMMU } from '../../src/uapi/vfio.js';
import { type DirtyBitmap, VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA } from '../../src/uapi/vfio-iommu.js';
import type { VfioContainer } from '../../src/vfio/container.js';
import { UUID } from '../mdev/machine.js';

export const PAGE = 4096n;
const O_RDWR = 2;

type Fields = Partial<Record<'vaddr' | 'iova' | 'size', bigint> & Record<'argsz' | 'flags', number>>;

export function dmaMap({ argsz = 32, flags = 3, vaddr = 0n, iova = 0n, size = PAGE }: Fields): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32LE(argsz, 0);
  bytes.writeUInt32LE(flags >>> 0, 4);
  bytes.writeBigUInt64LE(vaddr, 8);
  bytes.writeBigUInt64LE(iova, 16);
  bytes.writeBigUInt64LE(size, 24);
  return bytes;
}

function encodeBitmap({ pgsize, size, data }: DirtyBitmap): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeBigUInt64LE(pgsize, 0);
  bytes.writeBigUInt64LE(size, 8);
  bytes.writeBigUInt64LE(data, 16);
  return bytes;
}

export function dmaUnmap(
  { argsz = 24, flags = 0, iova = 0n, size = PAGE }: Omit<Fields, 'vaddr'>,
  bitmap?: DirtyBitmap,
): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(argsz, 0);
  bytes.writeUInt32LE(flags >>> 0, 4);
  bytes.writeBigUInt64LE(iova, 8);
  bytes.writeBigUInt64LE(size, 16);
  return bitmap ? Buffer.concat([bytes, encodeBitmap(bitmap)]) : bytes;
}

export function dirtyGet(iova: bigint, size: bigint, bitmap: DirtyBitmap): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(48, 0);
  bytes.writeUInt32LE(4, 4);
  bytes.writeBigUInt64LE(iova, 8);
  bytes.writeBigUInt64LE(size, 16);
  return Buffer.concat([bytes, encodeBitmap(bitmap)]);
}

export class Type1Container {
  readonly machine = new Machine();
  readonly process: Process;
  readonly container: number;
  readonly group: number;
  readonly iommu: Type1Iommu;

  /** @param type the backend's; @param parameters of the module */
  constructor(type = 3, parameters: Record<string, string> = {}, uid = 0) {
    this.machine.modprobe('vfio_iommu_type1', parameters);
    this.machine.modprobe('mdpy');
    this.machine.createMdev('mdpy', 'mdpy-vga', UUID);
    if (uid > 0) this.machine.process().chown('/dev/vfio/0', uid, uid);
    this.process = this.machine.process({ ...this.machine.process().credentials, uid, gid: uid });
    this.container = this.process.open('/dev/vfio/vfio', O_RDWR);
    this.group = this.process.open('/dev/vfio/0', O_RDWR);
    const fd = Buffer.alloc(4);
    fd.writeInt32LE(this.container);
    this.process.ioctl(this.group, VFIO_GROUP_SET_CONTAINER, fd);
    this.process.ioctl(this.container, VFIO_SET_IOMMU, type);
    this.iommu = (this.process.fget(this.container) as VfioContainer).iommu as Type1Iommu;
  }

  ioctl(request: number, arg: Buffer | bigint): number {
    return this.process.ioctl(this.container, request, arg) as number;
  }

  /** Name of the errno that a request fails with, undefined when it does not. */
  errno(request: number, arg: Buffer | bigint): string | undefined {
    return errnoOf(() => this.ioctl(request, arg));
  }

  map(fields: Fields): void {
    this.ioctl(VFIO_IOMMU_MAP_DMA, dmaMap(fields));
  }

  /** @returns how much was unmapped */
  unmap(fields: Fields): bigint {
    const bytes = dmaUnmap(fields);
    this.ioctl(VFIO_IOMMU_UNMAP_DMA, bytes);
    return bytes.readBigUInt64LE(16);
  }

  /** An open device that unpins nothing by itself, unless it is given what to do. */
  device(dmaUnmap: DmaUser['dmaUnmap'] = () => {}, name = 'device'): Dma {
    return this.iommu.registerDevice({ name, dmaUnmap });
  }

  detach(): void {
    this.process.ioctl(this.group, VFIO_GROUP_UNSET_CONTAINER);
  }
}

export function errnoOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof KernelError) return error.code;
    throw error;
  }
}

export { IOMMU_READ, IOMMU_WRITE };
