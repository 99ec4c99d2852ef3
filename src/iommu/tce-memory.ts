/**
 * Memory that user space registers before it maps it (arch/powerpc/mm/book3s64/iommu_api.c): pinned and counted once,
 * so that mapping is cheap. What is registered belongs to the process; several containers may use it.
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { PinnedPage } from './backend.js';
import { faultInUserPages, PAGE_SIZE_64, pinUserPage } from './user-page.js';

/** A region (`struct mm_iommu_table_group_mem_t`). */
export class PreregisteredMemory {
  /** Containers that registered it. */
  used = 0;
  /** Entries of tables that lead to it. */
  mapped = 0;

  constructor(
    readonly vaddr: bigint,
    readonly pages: readonly PinnedPage[],
  ) {}

  get end(): bigint {
    return this.vaddr + BigInt(this.pages.length) * PAGE_SIZE_64;
  }

  pageAt(address: bigint): PinnedPage {
    return this.pages[Number((address - this.vaddr) / PAGE_SIZE_64)]!;
  }
}

/** What is registered in all processes of a machine. */
export class Preregistrations {
  readonly #regions = new WeakMap<UserMemory, Set<PreregisteredMemory>>();

  #of(memory: UserMemory): Set<PreregisteredMemory> {
    let regions = this.#regions.get(memory);
    if (!regions) {
      regions = new Set();
      this.#regions.set(memory, regions);
    }
    return regions;
  }

  /** The region of exactly this place and size (`mm_iommu_get`). */
  find(memory: UserMemory, vaddr: bigint, pages: number): PreregisteredMemory | undefined {
    return [...this.#of(memory)].find((region) => region.vaddr === vaddr && region.pages.length === pages);
  }

  /** A region that has all of the bytes (`mm_iommu_lookup`). */
  lookup(memory: UserMemory, address: bigint, length: bigint): PreregisteredMemory | undefined {
    return [...this.#of(memory)].find((region) => region.vaddr <= address && address + length <= region.end);
  }

  /**
   * Registers a region (`mm_iommu_new`).
   * @throws ENOMEM beyond the limit of locked memory, or for no pages; EFAULT; EINVAL where another region is
   */
  register(memory: UserMemory, vaddr: bigint, count: number): PreregisteredMemory {
    memory.chargeLocked(count);
    let charged = 0;
    try {
      if (count === 0) throw new KernelError(Errno.ENOMEM);
      memory.charge?.(count);
      charged = count;
      const present = faultInUserPages(memory, vaddr, count);
      const pages: PinnedPage[] = [];
      while (pages.length < count)
        pages.push(pinUserPage(memory, vaddr + BigInt(pages.length) * PAGE_SIZE_64, true, present));
      const region = new PreregisteredMemory(vaddr, pages);
      if ([...this.#of(memory)].some((other) => other.vaddr < region.end && vaddr < other.end))
        throw new KernelError(Errno.EINVAL);
      this.#of(memory).add(region);
      return region;
    } catch (error) {
      memory.chargeLocked(-count);
      memory.charge?.(-charged);
      throw error;
    }
  }

  /** Gives a region up when no container and no table uses it any more (`mm_iommu_put`). */
  putUnused(memory: UserMemory, region: PreregisteredMemory): void {
    if (region.used > 0 || region.mapped > 0 || !this.#of(memory).delete(region)) return;
    memory.chargeLocked(-region.pages.length);
    memory.charge?.(-region.pages.length);
  }
}
