/**
 * A process with an iommufd, and its requests as functions that tell what came of them.
 * @module
 */

import type { IommufdAccess } from '../../src/iommu/iommufd-access.js';
import type { IommufdCtx } from '../../src/iommu/iommufd-ctx.js';
import { KernelError } from '../../src/lib/errno.js';
import { Machine } from '../../src/machine/machine.js';
import { Process } from '../../src/machine/process.js';
import { ProcessMemory } from '../../src/machine/user-memory.js';
import * as uapi from '../../src/uapi/iommufd.js';
import * as vfio from '../../src/uapi/vfio-iommu.js';

/** Where the process has memory, unless a test makes other. */
export const MEMORY = 0x2_0000_0000n;
export const MEMORY_SIZE = 1 << 20;
export const U64_MAX = 0xffff_ffff_ffff_ffffn;
const O_RDWR = 2;

/** The name of the errno that a call fails with, or what it returns. */
export function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    if (error instanceof KernelError) return error.code;
    throw error;
  }
}

/** A structure from numbers of 32 bits, and bigints for those of 64. */
export function struct(...fields: (number | bigint)[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      const bytes = Buffer.alloc(typeof field === 'bigint' ? 8 : 4);
      if (typeof field === 'bigint') bytes.writeBigUInt64LE(BigInt.asUintN(64, field));
      else bytes.writeUInt32LE(field >>> 0);
      return bytes;
    }),
  );
}

export class IommufdUser {
  readonly machine = new Machine();
  readonly process: Process;
  readonly fd: number;

  /** @param lockedLimit pages that the process may lock; without it, any number */
  constructor(lockedLimit?: number) {
    this.machine.modprobe('iommufd');
    const { namespace, core } = this.machine.process();
    const memory = new ProcessMemory(lockedLimit);
    this.process = new Process(namespace, core, 4711, { memory });
    this.memory.map(MEMORY_SIZE, MEMORY);
    this.fd = this.process.open('/dev/iommu', O_RDWR);
  }

  get memory(): ProcessMemory {
    return this.process.memory;
  }

  get ctx(): IommufdCtx {
    return this.process.fget(this.fd) as IommufdCtx;
  }

  /** What a request returns, or the errno's name; a structure is changed in place. */
  ioctl(request: number, arg: number | bigint | Uint8Array): number | string {
    return outcome(() => this.process.ioctl(this.fd, request, arg) as number);
  }

  /** The number of a new address space. */
  alloc(): number {
    const bytes = struct(12, 0, 0);
    this.process.ioctl(this.fd, uapi.IOMMU_IOAS_ALLOC, bytes);
    return bytes.readUInt32LE(uapi.IOAS_ALLOC_OUT_IOAS_ID);
  }

  /** The IOVA of a mapping for reading and writing, at one or, for undefined, anywhere. */
  map(ioas: number, iova: bigint | undefined, length: bigint, address = MEMORY, flags = 6): bigint | string {
    const bytes = struct(40, iova === undefined ? flags : flags | 1, ioas, 0, address, length, iova ?? 0n);
    const result = this.ioctl(uapi.IOMMU_IOAS_MAP, bytes);
    return result === 0 ? bytes.readBigUInt64LE(uapi.IOAS_MAP_IOVA) : String(result);
  }

  copy(
    [from, iova]: [number, bigint],
    [to, target]: [number, bigint | undefined],
    length: bigint,
    flags = 6,
  ) {
    const bytes = struct(40, target === undefined ? flags : flags | 1, to, from, length, target ?? 0n, iova);
    const result = this.ioctl(uapi.IOMMU_IOAS_COPY, bytes);
    return result === 0 ? bytes.readBigUInt64LE(uapi.IOAS_COPY_DST_IOVA) : result;
  }

  /** How many bytes were unmapped. */
  unmap(ioas: number, iova: bigint, length: bigint): bigint | string {
    const bytes = struct(24, ioas, iova, length);
    const result = this.ioctl(uapi.IOMMU_IOAS_UNMAP, bytes);
    return result === 0 ? bytes.readBigUInt64LE(uapi.IOAS_UNMAP_LENGTH) : String(result);
  }

  destroy(id: number): number | string {
    return this.ioctl(uapi.IOMMU_DESTROY, struct(8, id));
  }

  allow(ioas: number, ...ranges: [bigint, bigint][]): number | string {
    const address = this.memory.map(4096);
    this.memory.write(address, struct(...ranges.flat()));
    return this.ioctl(uapi.IOMMU_IOAS_ALLOW_IOVAS, struct(24, ioas, ranges.length, 0, address));
  }

  /** Sets or, without a value, gets an option. */
  option(option: number, object: number, value?: bigint): bigint | string {
    const bytes = struct(24, option, value === undefined ? 1 : 0, object, value ?? 0n);
    const result = this.ioctl(uapi.IOMMU_OPTION, bytes);
    return result === 0 ? bytes.readBigUInt64LE(uapi.IOMMU_OPTION_VAL64) : String(result);
  }

  mapDma(iova: bigint, size: bigint, vaddr = MEMORY, flags = 3): number | string {
    return this.ioctl(vfio.VFIO_IOMMU_MAP_DMA, struct(32, flags, vaddr, iova, size));
  }

  /** What came of it, and the number of bytes that the structure tells. */
  unmapDma(iova: bigint, size: bigint, flags = 0): [number | string, bigint] {
    const bytes = struct(24, flags, iova, size);
    const result = this.ioctl(vfio.VFIO_IOMMU_UNMAP_DMA, bytes);
    return [result, bytes.readBigUInt64LE(vfio.DMA_UNMAP_SIZE_FIELD)];
  }

  /** Binds a device that lets go of nothing, or does what `dmaUnmap` says. */
  bind(dmaUnmap?: (iova: bigint, length: bigint) => void): IommufdAccess {
    return this.ctx.bind({ name: 'vfio0', dmaUnmap });
  }
}
