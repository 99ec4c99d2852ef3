import t from 'tap';
import type { Dma, DmaUser } from '../../src/iommu/backend.js';
import type { PreregisteredMemory } from '../../src/iommu/tce-memory.js';
import { KernelError } from '../../src/lib/errno.js';
import { VFIO_GROUP_UNSET_CONTAINER } from '../../src/uapi/vfio.js';
import {
  VFIO_IOMMU_DISABLE,
  VFIO_IOMMU_ENABLE,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
  VFIO_IOMMU_SPAPR_TCE_CREATE,
  VFIO_IOMMU_SPAPR_TCE_GET_INFO,
  VFIO_IOMMU_SPAPR_TCE_REMOVE,
  VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
  VFIO_IOMMU_UNMAP_DMA,
} from '../../src/uapi/vfio-iommu.js';
import { random } from '../random.js';
import { removal, region, TceContainer, window } from './tce.js';
import { dmaMap, dmaUnmap, PAGE } from './type1.js';

const MEMORY_PAGES = 64;
const WINDOW_PAGES = 0x8_0000;
const SECOND = 1n << 59n;

/** A driver that remembers what it pinned, and unpins it when asked. */
class Driver implements DmaUser {
  readonly name = 'fuzz';
  readonly dma: Dma;
  pinned: bigint[] = [];

  constructor(container: TceContainer) {
    this.dma = container.iommu.registerDevice(this);
  }

  readonly dmaUnmap = (iova: bigint, length: bigint): void => {
    const inRange = (page: bigint): boolean => page >= iova && page < iova + length;
    for (const page of this.pinned) if (inRange(page)) this.dma.unpinPages(page, 1);
    this.pinned = this.pinned.filter((page) => !inRange(page));
  };
}

class Fuzz {
  readonly container: TceContainer;
  readonly driver: Driver;
  readonly vaddr: bigint;

  constructor(
    readonly next: (below: number) => number,
    type: number,
  ) {
    this.container = new TceContainer(type);
    this.vaddr = this.container.process.memory.map(MEMORY_PAGES * 4096);
    this.driver = new Driver(this.container);
  }

  pick<T>(...values: T[]): T {
    return values[this.next(values.length)]!;
  }

  number(): bigint {
    if (this.next(20) === 0) return this.pick(2n ** 64n - PAGE, 2n ** 64n - 1n, 2n ** 63n, 1n, 0x8000_0000n);
    const base = this.pick(0n, 0n, SECOND);
    return base + BigInt(this.next(MEMORY_PAGES)) * PAGE;
  }

  address(): bigint {
    return this.next(10) === 0 ? this.number() : this.vaddr + BigInt(this.next(MEMORY_PAGES)) * PAGE;
  }

  size(): bigint {
    return this.next(20) === 0 ? this.number() : BigInt(this.next(6)) * PAGE;
  }

  #ioctl(): void {
    const { container, next } = this;
    const flags = next(20) === 0 ? next(2 ** 32) : this.pick(0, 1, 2, 3, 3, 3);
    const options = next(20) === 0 ? { argsz: next(64), flags: next(2) } : {};
    const requests: [number, () => Buffer | bigint][] = [
      [
        VFIO_IOMMU_MAP_DMA,
        () => dmaMap({ flags, iova: this.number(), vaddr: this.address(), size: this.size() }),
      ],
      [VFIO_IOMMU_UNMAP_DMA, () => dmaUnmap({ ...options, iova: this.number(), size: this.size() })],
      [VFIO_IOMMU_SPAPR_TCE_GET_INFO, () => Buffer.alloc(this.pick(8, 16, 32, 40), next(256))],
      [VFIO_IOMMU_ENABLE, () => 0n],
      [VFIO_IOMMU_DISABLE, () => 0n],
      [VFIO_IOMMU_SPAPR_REGISTER_MEMORY, () => region(this.address(), this.size(), options)],
      [VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, () => region(this.address(), this.size(), options)],
      [
        VFIO_IOMMU_SPAPR_TCE_CREATE,
        () => window(this.pick(12, 12, 16, 24, 13, 99), 1n << BigInt(next(64)), next(7), options),
      ],
      [VFIO_IOMMU_SPAPR_TCE_REMOVE, () => removal(next(3) > 0 ? this.pick(0n, SECOND) : this.number())],
    ];
    const [request, arg] = requests[Math.min(next(14), next(14)) % requests.length]!;
    container.ioctl(request, next(50) === 0 ? this.number() : arg());
  }

  step(): void {
    const { driver, next } = this;
    const { dma } = driver;
    switch (next(10)) {
      case 0: {
        const [iova, count] = [this.number(), 1 + next(3)];
        dma.pinPages(iova, count, 1 + next(3));
        for (let i = 0; i < count; i++)
          driver.pinned.push(BigInt.asUintN(64, (iova & -PAGE) + BigInt(i) * PAGE));
        return;
      }
      case 1: {
        const [page] = driver.pinned.splice(next(driver.pinned.length), 1);
        if (page !== undefined) dma.unpinPages(page, 1);
        return;
      }
      case 2:
        dma.dmaRead(this.number() + BigInt(next(4096)), next(10_000));
        return;
      case 3:
        dma.dmaWrite(this.number() + BigInt(next(4096)), Buffer.alloc(next(10_000)));
        return;
      default:
        this.#ioctl();
    }
  }

  /** What is wrong, if anything is. */
  broken(): string | undefined {
    const { iommu, process } = this.container;
    const mapped = new Map<PreregisteredMemory, number>([...iommu.registered].map((region) => [region, 0]));
    let locked = !iommu.v2 && iommu.enabled ? WINDOW_PAGES : 0;
    for (const table of iommu.tables) {
      locked += table?.locked ?? 0;
      for (const { memory } of table?.entries.values() ?? [])
        if (memory) mapped.set(memory, (mapped.get(memory) ?? 0) + 1);
    }
    for (const [memory, entries] of mapped) {
      if (memory.mapped !== entries) return `${entries} entries, counted as ${memory.mapped}`;
      locked += memory.pages.length;
    }
    if (process.memory.locked !== locked) return `${process.memory.locked} locked, not ${locked}`;
    const pinned = new Set(this.driver.pinned).size;
    return iommu.pins.size === pinned ? undefined : `${iommu.pins.size} pins, the driver has ${pinned}`;
  }
}

for (const [type, calls] of [
  [7, 100_000],
  [2, 20_000],
] as const)
  t.test(`${calls} random calls, type ${type}: an errno or a result, and ledgers that balance`, async (t) => {
    const fuzz = new Fuzz(random(type), type);
    const outcomes = new Map<string, number>();
    for (let i = 0; i < calls; i++) {
      let outcome = 'ok';
      try {
        fuzz.step();
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        outcome = error.code;
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const broken = i % 10 === 0 && fuzz.broken();
      if (broken) return t.fail(`call ${i}: ${broken}`);
    }
    const expected = type === 7 ? ['ok', 'EINVAL', 'EFAULT', 'ENOENT', 'EBUSY'] : ['ok', 'EBUSY', 'ENOTTY'];
    for (const outcome of expected)
      t.ok((outcomes.get(outcome) ?? 0) > 100, `${outcome} ${outcomes.get(outcome)} times`);
    const { process, group, iommu } = fuzz.container;
    process.ioctl(group, VFIO_GROUP_UNSET_CONTAINER);
    t.equal(process.memory.locked, 0);
    t.equal(iommu.pins.size, 0);
  });
