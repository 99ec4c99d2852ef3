/**
 * Matrices of adapters and domains (drivers/s390/crypto/vfio_ap_ops.c): what is assigned to each mediated device, and
 * the rules by which it can be. A queue, which is an adapter with a domain, belongs to one device at most.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { CharFile } from '../base/file.js';
import type { ApConfig } from './ap-config.js';
import type { ApQueue } from './ap-device.js';
import { type ApMask, apBit, apNumbers } from './ap-mask.js';

/** Adapters, domains, and domains that can be controlled. */
export interface ApMasks {
  readonly apm: ApMask;
  readonly aqm: ApMask;
  readonly adm: ApMask;
}

export type MaskName = keyof ApMasks;

const EMPTY: ApMasks = { apm: 0n, aqm: 0n, adm: 0n };

function fail(errno: number): never {
  throw new KernelError(errno);
}

/** What all matrices of a host share. */
export class Matrices {
  readonly all = new Set<Matrix>();
  /** Queues that the driver has, by adapter and domain. */
  readonly #bound = new Map<number, Set<number>>();

  constructor(readonly config: ApConfig) {}

  bind({ adapter, domain }: ApQueue): void {
    const domains = this.#bound.get(adapter) ?? new Set();
    this.#bound.set(adapter, domains.add(domain));
  }

  unbind({ adapter, domain }: ApQueue): void {
    this.#bound.get(adapter)?.delete(domain);
  }

  /** Whether the driver has the queues of an adapter with all of these domains. */
  has(adapter: number, domains: readonly number[]): boolean {
    return domains.every((domain) => this.#bound.get(adapter)?.has(domain));
  }

  /** The matrix that a queue is assigned to. */
  of({ adapter, domain }: ApQueue): Matrix | undefined {
    return [...this.all].find((matrix) => matrix.overlaps(apBit(adapter), apBit(domain)));
  }

  /** Whether any queue of these adapters and domains is assigned. */
  use(apm: ApMask, aqm: ApMask): boolean {
    return [...this.all].some((matrix) => matrix.overlaps(apm, aqm));
  }

  /** The highest number of a mask. */
  max(name: MaskName): number {
    return name === 'apm' ? this.config.maxAdapter : this.config.maxDomain;
  }
}

export class Matrix {
  masks = EMPTY;
  /** The VM that uses it. */
  vm: CharFile | undefined = undefined;

  constructor(readonly matrices: Matrices) {
    matrices.all.add(this);
  }

  /** Forgets the matrix: others may have its queues. */
  remove(): void {
    this.matrices.all.delete(this);
  }

  overlaps(apm: ApMask, aqm: ApMask): boolean {
    return (apm & this.masks.apm) !== 0n && (aqm & this.masks.aqm) !== 0n;
  }

  /**
   * What a guest sees of it: what the host has. A single queue cannot be left out, so an adapter is left out of which
   * the driver has not all (`vfio_ap_mdev_filter_matrix`).
   */
  get guest(): ApMasks {
    const { adapters, domains, controlDomains } = this.matrices.config;
    const { masks } = this;
    const aqm = masks.aqm & domains;
    const numbers = apNumbers(aqm);
    const apm = apNumbers(masks.apm & adapters)
      .filter((adapter) => this.matrices.has(adapter, numbers))
      .reduce((mask, adapter) => mask | apBit(adapter), 0n);
    return { apm, aqm, adm: masks.adm & controlDomains };
  }

  /**
   * @throws ENODEV for a number that the machine cannot have
   * @throws EADDRNOTAVAIL when a queue would come with it that the host keeps, EADDRINUSE for one of another device
   */
  assign(name: MaskName, number: bigint): void {
    this.#replace(name, this.masks[name] | this.#bit(name, number));
  }

  /** What is not assigned can be taken away. @throws ENODEV as {@link assign} */
  unassign(name: MaskName, number: bigint): void {
    this.masks = { ...this.masks, [name]: this.masks[name] & ~this.#bit(name, number) };
  }

  #bit(name: MaskName, number: bigint): ApMask {
    if (number > BigInt(this.matrices.max(name))) fail(Errno.ENODEV);
    return apBit(Number(number));
  }

  #replace(name: MaskName, mask: ApMask): void {
    if (mask === this.masks[name]) return;
    const masks = { ...this.masks, [name]: mask };
    // Control domains may be shared.
    if (name !== 'adm') this.#validate(masks);
    this.masks = masks;
  }

  /**
   * Replaces everything, or nothing.
   * @throws EADDRNOTAVAIL, EADDRINUSE as {@link assign}; then ENODEV for numbers that the machine cannot have
   */
  set(masks: ApMasks): void {
    this.#validate(masks);
    for (const name of ['apm', 'aqm', 'adm'] as const) {
      const least = apBit(this.matrices.max(name));
      if ((masks[name] & (least - 1n)) !== 0n) fail(Errno.ENODEV);
    }
    this.masks = masks;
  }

  #validate({ apm, aqm }: ApMasks): void {
    if (this.matrices.config.reserves(apm, aqm)) fail(Errno.EADDRNOTAVAIL);
    for (const other of this.matrices.all)
      if (other !== this && other.overlaps(apm, aqm)) fail(Errno.EADDRINUSE);
  }
}
