/**
 * Matrices of adapters and domains (drivers/s390/crypto/vfio_ap_ops.c): what is assigned to each mediated device, and
 * the rules by which it can be. A queue, which is an adapter with a domain, belongs to one device at most.
 *
 * Differs: what a guest gets is what is assigned and there. The kernel leaves out queues that are not bound to
 * vfio_ap too; here every queue is that the host's own driver does not keep.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { ApConfig } from './ap-config.js';
import { type ApMask, apBit } from './ap-mask.js';

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

  constructor(readonly config: ApConfig) {}

  /** The highest number of a mask. */
  max(name: MaskName): number {
    return name === 'apm' ? this.config.maxAdapter : this.config.maxDomain;
  }
}

export class Matrix {
  masks = EMPTY;

  constructor(readonly matrices: Matrices) {
    matrices.all.add(this);
  }

  /** Forgets the matrix: others may have its queues. */
  remove(): void {
    this.matrices.all.delete(this);
  }

  /** What a guest sees of it. */
  get guest(): ApMasks {
    const { adapters, domains, controlDomains } = this.matrices.config;
    const { apm, aqm, adm } = this.masks;
    return { apm: apm & adapters, aqm: aqm & domains, adm: adm & controlDomains };
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
    for (const other of this.matrices.all) {
      if (other === this) continue;
      if ((other.masks.apm & apm) !== 0n && (other.masks.aqm & aqm) !== 0n) fail(Errno.EADDRINUSE);
    }
  }
}
