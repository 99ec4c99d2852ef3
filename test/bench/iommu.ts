/**
 * How fast the IOMMU model is, in this process: mappings among many, and what devices without an IOMMU copy through
 * them.
 * @module
 */

import { KernelLog } from '../../src/base/printk.js';
import { Type1Iommu } from '../../src/iommu/type1.js';
import { ProcessMemory } from '../../src/machine/user-memory.js';
import { random } from '../random.js';
import { median } from './stats.js';
import { duration, ratio, table, thousands } from './table.js';

const PAGE = 4096n;
const LIVE = 60_000;
const COPY = 65_536;

export interface IommuBench {
  name: string;
  /** Nanoseconds for one. */
  ns: number;
  /** What it is compared with, in nanoseconds, and how fast it must at least be in relation to that. */
  baseline?: number;
  target?: number;
}

const nanoseconds = (): number => Number(process.hrtime.bigint());

function timeOf(times: number, run: () => void): number {
  const start = nanoseconds();
  for (let i = 0; i < times; i++) run();
  return (nanoseconds() - start) / times;
}

/** Measures both in turn, so that a busy machine slows both. */
function compared(rounds: number, times: number, run: () => void, baseline: () => void): [number, number] {
  const samples: [number[], number[]] = [[], []];
  timeOf(times, run);
  timeOf(times, baseline);
  for (let i = 0; i < rounds; i++) {
    samples[0].push(timeOf(times, run));
    samples[1].push(timeOf(times, baseline));
  }
  return [median(samples[0])!, median(samples[1])!];
}

/** Maps and unmaps at random places among mappings that stay. */
function mapAmong(live: number, count: number): number {
  const iommu = new Type1Iommu(3, 0xffff_ffff, new KernelLog());
  const memory = new ProcessMemory();
  for (let i = 0; i < live; i++) iommu.map(memory, BigInt(i) * 2n * PAGE, PAGE, 0n, 3);
  const next = random(1);
  const places = Array.from({ length: 4096 }, () => (BigInt(next(live)) * 2n + 1n) * PAGE);
  let i = 0;
  return timeOf(count, () => {
    const iova = places[i++ & 4095]!;
    iommu.map(memory, iova, PAGE, 0n, 3);
    iommu.unmap(memory, { iova, size: PAGE, all: false, vaddr: false, bitmap: undefined });
  });
}

/** @param count of map and unmap among {@link LIVE} mappings */
export function measureIommu(count = 1_000_000): IommuBench[] {
  const few = mapAmong(10, Math.ceil(count / 10));
  const many = mapAmong(LIVE, count);
  const iommu = new Type1Iommu(3, 65_535, new KernelLog());
  const memory = new ProcessMemory();
  const vaddr = memory.map(COPY * 2);
  iommu.map(memory, 0n, BigInt(COPY * 2), vaddr, 3);
  const dma = iommu.registerDevice({ name: 'bench', dmaUnmap: () => {} });
  const [source, target] = [Buffer.alloc(COPY, 1), Buffer.alloc(COPY)];
  const copy = (): void => void source.copy(target);
  const [read, readCopy] = compared(9, 2000, () => void dma.dmaRead(PAGE, COPY, target), copy);
  const [write, writeCopy] = compared(9, 2000, () => dma.dmaWrite(PAGE, source), copy);
  const [pin, pinCopy] = compared(
    9,
    500,
    () => {
      dma.pinPages(0n, 16, 3);
      dma.unpinPages(0n, 16);
    },
    copy,
  );
  return [
    { name: 'map + unmap, 10 live', ns: few },
    { name: `map + unmap, ${thousands(LIVE)} live, ${thousands(count)} times`, ns: many },
    { name: 'dma_rw read 64 KB', ns: read, baseline: readCopy, target: 0.5 },
    { name: 'dma_rw write 64 KB', ns: write, baseline: writeCopy, target: 0.5 },
    { name: 'pin + unpin 64 KB', ns: pin, baseline: pinCopy, target: 0.5 },
  ];
}

export function iommuTable(results: readonly IommuBench[]): string {
  return table(
    ['what', 'one takes', 'a Buffer copy takes', 'times as fast as that', 'target'],
    results.map(({ name, ns, baseline, target }) => [
      name,
      duration(ns),
      duration(baseline),
      ratio(baseline === undefined ? undefined : baseline / ns),
      target === undefined ? '' : `>= ${target}`,
    ]),
  );
}
