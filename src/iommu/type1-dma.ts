/**
 * Mappings of a type1 container (`struct vfio_dma` of drivers/vfio/vfio_iommu_type1.c): each an entry of the red-black
 * tree, with what devices have pinned in it and which of its pages are dirty.
 *
 * Addresses are compared as the kernel does, by an end that is 0 for a mapping that reaches the end of the address
 * space. Walks therefore pass such a mapping on the wrong side: it is not found, another can be mapped over it, and
 * below it in the tree others hide. This is modelled, down to the shape of the tree.
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { RbNode, RbTree } from '../lib/rbtree.js';
import type { PinnedPage } from './backend.js';

/** A page that is pinned, often perhaps (`struct vfio_pfn`). */
export interface Pin {
  readonly page: PinnedPage;
  references: number;
}

export const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** A mapping; an entry of {@link DmaList}. */
export class Type1Dma extends RbNode<Type1Dma> {
  /** iova + size, 0 at the end of the address space. */
  readonly end: bigint;
  /** Pinned pages by their index in the mapping. */
  readonly pins = new Map<number, Pin>();
  /** Indexes of dirty pages; undefined while nobody tracks them. */
  dirty: Set<number> | undefined = undefined;

  /**
   * @param vaddr where it begins in `memory`
   * @param prot IOMMU_READ, IOMMU_WRITE
   */
  constructor(
    readonly iova: bigint,
    readonly size: bigint,
    readonly vaddr: bigint,
    readonly prot: number,
    readonly memory: UserMemory,
  ) {
    super();
    this.end = u64(iova + size);
  }
}

export class DmaList {
  readonly #tree = new RbTree<Type1Dma>();

  get size(): number {
    return this.#tree.size;
  }

  /** Any mapping that has an address of the range (`vfio_find_dma`). */
  find(start: bigint, size: bigint): Type1Dma | undefined {
    const end = u64(start + size);
    let node = this.#tree.root;
    while (node) {
      if (end <= node.iova) node = node.left;
      else if (start >= node.end) node = node.right;
      else return node;
    }
    return undefined;
  }

  /** The first mapping that has an address of the range (`vfio_find_dma_first_node`). */
  firstIn(start: bigint, size: bigint): Type1Dma | undefined {
    let found: Type1Dma | undefined;
    let node = this.#tree.root;
    while (node) {
      if (start < node.end) {
        found = node;
        if (start >= node.iova) break;
        node = node.left;
      } else node = node.right;
    }
    return found && found.iova < u64(start + size) ? found : undefined;
  }

  /**
   * Whether a mapping begins before `iova` and reaches into it, or another beyond the end of the range: a range must
   * not cut mappings.
   */
  isCutBy(iova: bigint, size: bigint): boolean {
    const first = this.find(iova, 1n);
    if (first && first.iova !== iova) return true;
    const last = this.find(u64(iova + size - 1n), 0n);
    return last !== undefined && last.end !== u64(iova + size);
  }

  link(dma: Type1Dma): void {
    let parent: Type1Dma | undefined;
    let side: 'left' | 'right' = 'left';
    for (let node = this.#tree.root; node; node = node[side]) {
      parent = node;
      side = dma.iova <= node.iova ? 'left' : 'right';
    }
    this.#tree.insert(dma, parent, side);
  }

  unlink(dma: Type1Dma): void {
    this.#tree.erase(dma);
  }

  first(): Type1Dma | undefined {
    return this.#tree.first();
  }

  next(dma: Type1Dma): Type1Dma | undefined {
    return this.#tree.next(dma);
  }

  *[Symbol.iterator](): Generator<Type1Dma> {
    for (let dma = this.first(); dma; dma = this.next(dma)) yield dma;
  }
}
