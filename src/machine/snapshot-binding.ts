/**
 * What a PCI driver did to the functions that it has in a tree, as far as it did the same to all of them.
 * @module
 */

import type { Tree } from './tree.js';

const COMMAND = 0x04;
const COMMAND_MASTER = 0x4;
const DMA_MASK = 32;

/** What all have in common, or undefined. */
function agreed<T>(values: readonly T[]): T | undefined {
  return values.every((value) => value === values[0]) ? values[0] : undefined;
}

export function bindingOf(tree: Tree, paths: readonly string[]) {
  if (paths.length === 0) return { enable: false };
  const config = (path: string) => Buffer.from(tree.bytes(`${path}/config`) ?? []);
  const master = (path: string) => ((config(path)[COMMAND] ?? 0) & COMMAND_MASTER) !== 0;
  const vectors = agreed(paths.map((path) => tree.names(`${path}/msi_irqs`).length)) ?? 0;
  const mask = Number(agreed(paths.map((path) => tree.text(`${path}/dma_mask_bits`))) ?? DMA_MASK);
  return {
    enable: agreed(paths.map((path) => tree.text(`${path}/enable`))) !== '0',
    ...(agreed(paths.map(master)) && { busMaster: true }),
    ...(vectors > 0 && { vectors }),
    ...(mask !== DMA_MASK && mask >= 1 && mask <= 64 && { dmaMask: mask }),
    ...(paths.some((path) => Number(tree.text(`${path}/sriov_numvfs`) ?? 0) > 0) && { sriov: true }),
  };
}
