/**
 * Character device numbers (fs/char_dev.c): a driver that asks for any major gets the highest free one from
 * 254 down to 234, then from 511 down to 384.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';

/** A device number. */
export interface Devt {
  readonly major: number;
  readonly minor: number;
}

export const MISC_MAJOR = 10;

/** `MAJOR:minor`, as the `dev` attribute shows it. */
export function formatDevt({ major, minor }: Devt): string {
  return `${major}:${minor}`;
}

/** The number stat(2) reports for a device of these (glibc's makedev for numbers below 2^20). */
export function makedev({ major, minor }: Devt): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

export class CharDeviceNumbers {
  readonly #names = new Map<number, string>();

  /** @param wanted majors that drivers get while those are free, by name */
  constructor(readonly wanted: Readonly<Record<string, number>> = {}) {}

  /**
   * Registers a driver name for any free major (`alloc_chrdev_region`).
   * @throws EBUSY when all dynamic majors are taken
   */
  allocMajor(name: string): number {
    const own = this.wanted[name];
    if (own !== undefined && !this.#names.has(own)) {
      this.#names.set(own, name);
      return own;
    }
    for (const [from, to] of [
      [254, 234],
      [511, 384],
    ] as const) {
      for (let major = from; major >= to; major--) {
        if (this.#names.has(major)) continue;
        this.#names.set(major, name);
        return major;
      }
    }
    throw new KernelError(Errno.EBUSY);
  }

  freeMajor(major: number): void {
    this.#names.delete(major);
  }
}
