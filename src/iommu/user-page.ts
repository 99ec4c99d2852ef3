/**
 * Pages of a process's memory that a device holds (`pin_user_pages_remote`).
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { PinnedPage } from './backend.js';

export const PAGE_SIZE = 4096;
export const PAGE_SIZE_64 = 4096n;

/**
 * Pins the page at an address. Where the memory can be reached directly the page outlives its mapping; the memory of
 * another program is read and written through that program's mappings at the time.
 * @param write whether the device may write, so that the process must be allowed to
 * @param present whether it was brought in ({@link faultInUserPages})
 * @throws EFAULT when nothing is mapped there, or not for this
 * @throws ENODEV when the process has ended
 */
export function pinUserPage(
  memory: UserMemory,
  address: bigint,
  write: boolean,
  present = false,
): PinnedPage {
  if (present) return new RemotePage(memory, address);
  if (memory.gone) throw new KernelError(Errno.ENODEV);
  const view = memory.view?.(address, PAGE_SIZE, write);
  if (view) return new ViewedPage(view, 0);
  memory.read(address, 1);
  return new RemotePage(memory, address);
}

/**
 * Brings in pages that are going to be pinned, all in one go, where looking at each takes long.
 * @returns whether all of them are there; otherwise the first that is not has to be found
 */
export function faultInUserPages(memory: UserMemory, address: bigint, count: number): boolean {
  if (!memory.faultIn || memory.gone) return false;
  try {
    memory.faultIn(address, count * PAGE_SIZE);
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
}

/** Memory that can be reached, and where the page is in it. */
export class ViewedPage implements PinnedPage {
  constructor(
    readonly bytes: Buffer,
    readonly start: number,
  ) {}

  read(offset: number, length: number): Buffer {
    const from = this.start + offset;
    return Buffer.from(this.bytes.subarray(from, Math.min(from + length, this.start + PAGE_SIZE)));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes.subarray(0, PAGE_SIZE - offset), this.start + offset);
  }
}

class RemotePage implements PinnedPage {
  constructor(
    readonly memory: UserMemory,
    readonly address: bigint,
  ) {}

  read(offset: number, length: number): Buffer {
    return this.memory.read(this.address + BigInt(offset), Math.min(length, PAGE_SIZE - offset));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.memory.write(this.address + BigInt(offset), bytes.subarray(0, PAGE_SIZE - offset));
  }
}
