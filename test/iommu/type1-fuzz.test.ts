import t from 'tap';
import type { Dma, DmaUser } from '../../src/iommu/backend.js';
import type { Type1Iommu } from '../../src/iommu/type1.js';
import { KernelError } from '../../src/lib/errno.js';
import {
  VFIO_IOMMU_DIRTY_PAGES,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
} from '../../src/uapi/vfio-iommu.js';
import { random } from '../random.js';
import { PAGE, Type1Container } from './type1.js';

const CALLS = 100_000;
const ENTRIES = 8;
const MEMORY_PAGES = 64;
const requests = [VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA, VFIO_IOMMU_GET_INFO, VFIO_IOMMU_DIRTY_PAGES];

/** A driver that remembers what it pinned, and unpins it when asked. */
class Driver implements DmaUser {
  readonly name = 'fuzz';
  readonly dma: Dma;
  readonly pinned: bigint[] = [];

  constructor(iommu: Type1Iommu) {
    this.dma = iommu.registerDevice(this);
  }

  readonly dmaUnmap = (iova: bigint, length: bigint): void => {
    for (let i = this.pinned.length - 1; i >= 0; i--) {
      const page = this.pinned[i]!;
      if (page < iova || page >= iova + length) continue;
      this.dma.unpinPages(page, 1);
      this.pinned.splice(i, 1);
    }
  };
}

class Fuzz {
  readonly container: Type1Container;
  readonly driver: Driver;
  readonly vaddr: bigint;
  readonly outcomes = new Map<string, number>();

  constructor(
    readonly next: (below: number) => number,
    type: number,
  ) {
    this.container = new Type1Container(type, { dma_entry_limit: String(ENTRIES) });
    this.vaddr = this.container.process.memory.map(MEMORY_PAGES * 4096);
    this.driver = new Driver(this.container.iommu);
  }

  pick<T>(...values: T[]): T {
    return values[this.next(values.length)]!;
  }

  number(): bigint {
    const { next } = this;
    if (next(20) === 0) return this.pick(2n ** 64n - PAGE, 2n ** 64n - 1n, 2n ** 63n, 1n, 0xfffn);
    return BigInt(next(MEMORY_PAGES)) * PAGE;
  }

  size(): bigint {
    return this.next(20) === 0 ? this.number() : BigInt(1 + this.next(6)) * PAGE;
  }

  struct(request: number): Buffer {
    const { next } = this;
    const bytes = Buffer.alloc(this.pick(8, 24, 32, 48, 48, 48, 48, 80));
    const field = (at: number, value: bigint) => at + 8 <= bytes.length && bytes.writeBigUInt64LE(value, at);
    bytes.writeUInt32LE(next(10) === 0 ? next(80) : this.pick(48, 80), 0);
    bytes.writeUInt32LE(next(30) === 0 ? next(2 ** 32) : this.pick(1, 2, 3, 3, 3, 4, 0), 4);
    if (request === VFIO_IOMMU_MAP_DMA) {
      field(8, next(4) === 0 ? this.number() : this.vaddr + BigInt(next(MEMORY_PAGES)) * PAGE);
      field(16, this.number());
      field(24, this.size());
      return bytes;
    }
    field(8, next(100) === 0 ? this.number() : this.number());
    field(16, this.size());
    field(24, next(10) === 0 ? this.number() : PAGE);
    field(32, this.pick(8n, 16n, 64n, 0n));
    field(40, next(5) === 0 ? this.number() : this.vaddr + BigInt(next(4096)));
    return bytes;
  }

  step(): void {
    const { container, driver, next } = this;
    switch (next(8)) {
      case 0: {
        const [iova, count] = [this.number(), 1 + next(4)];
        driver.dma.pinPages(iova, count, 1 + next(3));
        for (let i = 0; i < count; i++)
          driver.pinned.push(BigInt.asUintN(64, (iova & -PAGE) + BigInt(i) * PAGE));
        return;
      }
      case 1: {
        const [page] = driver.pinned.splice(next(driver.pinned.length), 1);
        if (page !== undefined) driver.dma.unpinPages(page, 1);
        return;
      }
      case 2:
        driver.dma.dmaRead(this.number() + BigInt(next(4096)), next(20_000));
        return;
      case 3:
        driver.dma.dmaWrite(this.number() + BigInt(next(4096)), Buffer.alloc(next(20_000)));
        return;
      default: {
        const request = this.pick(...requests);
        container.ioctl(request, next(50) === 0 ? this.number() : this.struct(request));
      }
    }
  }

  /** What is wrong, if anything is. */
  broken(): string | undefined {
    const { container, driver } = this;
    const { iommu, process } = container;
    let pins = 0;
    let references = 0;
    for (const dma of iommu.mappings) {
      pins += dma.pins.size;
      for (const pin of dma.pins.values()) references += pin.references;
      if ((dma.dirty !== undefined) !== iommu.dirtyTracking) return 'tracked and not tracked';
      for (const page of dma.dirty ?? []) if (BigInt(page) * PAGE >= dma.size) return 'dirty beyond the end';
      if (dma.dirty) for (const page of dma.pins.keys()) if (!dma.dirty.has(page)) return 'pinned and clean';
    }
    if (references !== driver.pinned.length)
      return `${references} pins, the driver has ${driver.pinned.length}`;
    if (pins !== process.memory.locked) return `${pins} pages pinned, ${process.memory.locked} locked`;
    if (iommu.mappings.size + iommu.dmaAvail !== ENTRIES) return 'entries are lost';
    return undefined;
  }
}

for (const [type, calls] of [
  [3, CALLS],
  [1, CALLS / 10],
] as const)
  t.test(`${calls} random calls, type ${type}: an errno or a result, and ledgers that balance`, async (t) => {
    const fuzz = new Fuzz(random(type), type);
    for (let i = 0; i < calls; i++) {
      let outcome = 'ok';
      try {
        fuzz.step();
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        outcome = error.code;
      }
      fuzz.outcomes.set(outcome, (fuzz.outcomes.get(outcome) ?? 0) + 1);
      const broken = i % 10 === 0 && fuzz.broken();
      if (broken) return t.fail(`call ${i}: ${broken}`);
    }
    t.equal(fuzz.broken(), undefined);
    for (const outcome of type === 3
      ? ['ok', 'EINVAL', 'EEXIST', 'ENOSPC', 'EFAULT', 'EPERM', 'EBUSY']
      : ['EACCES'])
      t.ok((fuzz.outcomes.get(outcome) ?? 0) > 100, `${outcome} ${fuzz.outcomes.get(outcome)} times`);
    fuzz.container.detach();
    t.equal(fuzz.container.iommu.mappings.size, 0);
    t.equal(fuzz.container.process.memory.locked, 0);
  });
