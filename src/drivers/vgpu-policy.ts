/**
 * How many devices a parent can have: the policies that vendor drivers follow. A policy counts for one parent.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { VgpuPolicy, VgpuTypeData } from './vgpu-data.js';

/** The count of one parent. */
export interface VgpuCount {
  available(type: VgpuTypeData): number;
  /** Takes what a device of the type needs. @throws ENOSPC when that is not there */
  take(type: VgpuTypeData): void;
  give(type: VgpuTypeData): void;
}

/**
 * The count for a policy; undefined where the mdev core counts.
 * @param gpu the count of the whole GPU that the parent is a function of
 */
export function vgpuCount(policy: VgpuPolicy, gpu: () => VgpuCount): VgpuCount | undefined {
  switch (policy.rule) {
    case 'shared':
      return undefined;
    case 'perType':
      return new PerType();
    case 'oneTypePerGpu':
      return new OneType();
    case 'onePerFunction':
      return new OnePerFunction(gpu());
    case 'pool':
      return new Pool(policy.resources);
  }
}

/** Every type has its own number. */
class PerType implements VgpuCount {
  protected readonly used = new Map<VgpuTypeData, number>();

  available(type: VgpuTypeData): number {
    return (type.instances ?? 0) - (this.used.get(type) ?? 0);
  }

  take(type: VgpuTypeData): void {
    if (this.available(type) < 1) throw new KernelError(Errno.ENOSPC);
    this.used.set(type, (this.used.get(type) ?? 0) + 1);
  }

  give(type: VgpuTypeData): void {
    const left = this.used.get(type)! - 1;
    if (left === 0) this.used.delete(type);
    else this.used.set(type, left);
  }
}

/** While there are devices of one type, there can be none of another. */
export class OneType extends PerType {
  override available(type: VgpuTypeData): number {
    return this.used.size === 0 || this.used.has(type) ? super.available(type) : 0;
  }
}

/** A function has one device, of the type and as long as there is room as the GPU allows. */
class OnePerFunction implements VgpuCount {
  #used = false;

  constructor(readonly gpu: VgpuCount) {}

  available(type: VgpuTypeData): number {
    return this.#used ? 0 : Math.min(1, this.gpu.available(type));
  }

  take(type: VgpuTypeData): void {
    if (this.#used) throw new KernelError(Errno.ENOSPC);
    this.gpu.take(type);
    this.#used = true;
  }

  give(type: VgpuTypeData): void {
    this.gpu.give(type);
    this.#used = false;
  }
}

/** Every device takes from resources that all types share. */
class Pool implements VgpuCount {
  readonly #free: Map<string, number>;

  constructor(resources: Record<string, number>) {
    this.#free = new Map(Object.entries(resources));
  }

  available(type: VgpuTypeData): number {
    const shares = Object.entries(type.needs).map(([name, need]) =>
      Math.floor((this.#free.get(name) ?? 0) / need),
    );
    return Math.min(...shares);
  }

  take(type: VgpuTypeData): void {
    if (this.available(type) < 1) throw new KernelError(Errno.ENOSPC);
    this.#add(type, -1);
  }

  give(type: VgpuTypeData): void {
    this.#add(type, 1);
  }

  #add(type: VgpuTypeData, sign: number): void {
    for (const [name, need] of Object.entries(type.needs)) {
      this.#free.set(name, (this.#free.get(name) ?? 0) + sign * need);
    }
  }
}
