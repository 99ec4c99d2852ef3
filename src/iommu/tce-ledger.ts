/**
 * The ledger of a container with the TCE backend: its windows, and what their pages lead to. Neighbouring pages of the
 * same memory are one line.
 * @module
 */

import { IOMMU_READ, IOMMU_WRITE } from './backend.js';
import type { TceIommu } from './tce.js';
import type { TceTable } from './tce-table.js';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

interface Run {
  iova: bigint;
  size: bigint;
  vaddr: bigint;
  prot: number;
}

function* runs(table: TceTable): Generator<Run> {
  let run: Run | undefined;
  for (const [index, { vaddr, prot }] of [...table.entries].sort(([a], [b]) => a - b)) {
    const iova = table.iovaOf(index);
    const follows =
      run && run.iova + run.size === iova && run.vaddr + run.size === vaddr && run.prot === prot;
    if (run && follows) {
      run.size += table.pageSize;
      continue;
    }
    if (run) yield run;
    run = { iova, size: table.pageSize, vaddr, prot };
  }
  if (run) yield run;
}

export function tceLedger(iommu: TceIommu): string {
  const lines = [`vfio_iommu_spapr_tce${iommu.v2 ? ' v2' : ''} ${iommu.enabled ? 'enabled' : 'disabled'}`];
  let [count, total] = [0, 0n];
  for (const table of iommu.tables) {
    if (!table) continue;
    lines.push(
      `window ${hex(table.start)} size ${hex(BigInt(table.size) * table.pageSize)} page ${hex(table.pageSize)}`,
    );
    for (const { iova, size, vaddr, prot } of runs(table)) {
      const access = `${prot & IOMMU_READ ? 'r' : '-'}${prot & IOMMU_WRITE ? 'w' : '-'}`;
      const pinned = iommu.pins.countIn(iova, size);
      lines.push(`iova ${hex(iova)} size ${hex(size)} vaddr ${hex(vaddr)} ${access} pinned ${pinned}`);
      count++;
      total += size;
    }
  }
  lines.push(`mappings ${count} size ${hex(total)} pinned ${iommu.pins.size}`);
  return lines.map((line) => `${line}\n`).join('');
}
