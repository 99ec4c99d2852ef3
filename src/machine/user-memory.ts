/**
 * The memory of an emulated process: pieces of address space, each with a buffer behind it.
 * @module
 */

import type { UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';

export const PROT_READ = 1;
export const PROT_WRITE = 2;

const PAGE_SIZE = 4096n;
/** Where mappings go whose place nobody chose. */
const MMAP_BASE = 0x7f00_0000_0000n;
/** End of user space with four levels of page tables. */
const TASK_SIZE = 0x7fff_ffff_f000n;

interface Area {
  readonly start: bigint;
  readonly end: bigint;
  readonly memory: Buffer;
  readonly prot: number;
  /** Called when the area is unmapped. */
  readonly unmapped: (() => void) | undefined;
}

export interface MapOptions {
  /** PROT_*; both by default. */
  prot?: number;
  unmapped?: () => void;
}

export class ProcessMemory implements UserMemory {
  /** By address. */
  #areas: Area[] = [];
  #next = MMAP_BASE;
  locked = 0;
  gone = false;

  /** @param lockedLimit RLIMIT_MEMLOCK in pages; undefined for who may lock without limit */
  constructor(readonly lockedLimit?: number) {}

  /**
   * Maps memory, new or given, at an address or somewhere.
   * @returns its address
   * @throws EINVAL for an address that is no multiple of a page; ENOMEM beyond user space
   * @throws EEXIST over another mapping (MAP_FIXED_NOREPLACE)
   */
  map(
    memory: number | Uint8Array,
    address?: bigint,
    { prot = PROT_READ | PROT_WRITE, unmapped }: MapOptions = {},
  ): bigint {
    const bytes =
      typeof memory === 'number'
        ? Buffer.alloc(memory)
        : Buffer.from(memory.buffer, memory.byteOffset, memory.length);
    const length = (BigInt(bytes.length) + PAGE_SIZE - 1n) & -PAGE_SIZE;
    const start = address ?? this.#next;
    if (start % PAGE_SIZE !== 0n) throw new KernelError(Errno.EINVAL);
    if (start < 0n || start + length > TASK_SIZE) throw new KernelError(Errno.ENOMEM);
    if (this.#areas.some((area) => area.start < start + length && start < area.end))
      throw new KernelError(Errno.EEXIST);
    if (address === undefined) this.#next += length + PAGE_SIZE;
    const area = { start, end: start + length, memory: bytes, prot, unmapped };
    const at = this.#areas.findIndex((other) => other.start > start);
    this.#areas.splice(at < 0 ? this.#areas.length : at, 0, area);
    return start;
  }

  /**
   * Takes away the mapping that begins at an address.
   * @throws EINVAL when none does
   */
  unmap(address: bigint): void {
    const area = this.#areas.find(({ start }) => start === address);
    if (!area) throw new KernelError(Errno.EINVAL);
    this.#areas = this.#areas.filter((other) => other !== area);
    area.unmapped?.();
  }

  isMapped(address: bigint): boolean {
    return this.#areaOf(address) !== undefined;
  }

  read(address: bigint, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    this.readInto(address, bytes);
    return bytes;
  }

  readInto(address: bigint, target: Buffer): void {
    this.#walk(address, target.length, PROT_READ, (piece, at) => piece.copy(target, at));
  }

  write(address: bigint, bytes: Uint8Array): void {
    // First a look, so that nothing is written when not everything can be.
    this.#walk(address, bytes.length, PROT_WRITE, () => {});
    this.#walk(
      address,
      bytes.length,
      PROT_WRITE,
      (piece, at) => void piece.set(bytes.subarray(at, at + piece.length)),
    );
  }

  view(address: bigint, length: number, write: boolean): Buffer | undefined {
    const pieces: Buffer[] = [];
    this.#walk(
      address,
      length,
      write ? PROT_READ | PROT_WRITE : PROT_READ,
      (piece) => void pieces.push(piece),
    );
    return pieces.length === 1 ? pieces[0] : undefined;
  }

  /** Calls `visit` with the pieces of buffers that a range consists of. */
  #walk(address: bigint, length: number, prot: number, visit: (piece: Buffer, at: number) => void): void {
    for (let at = 0; at < length; ) {
      const area = this.#areaOf(address + BigInt(at));
      if (!area || (area.prot & prot) !== prot) throw new KernelError(Errno.EFAULT);
      const offset = Number(address + BigInt(at) - area.start);
      const piece = area.memory.subarray(offset, offset + length - at);
      if (piece.length === 0) throw new KernelError(Errno.EFAULT);
      visit(piece, at);
      at += piece.length;
    }
  }

  #areaOf(address: bigint): Area | undefined {
    let [low, high] = [0, this.#areas.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#areas[middle]!.end <= address) low = middle + 1;
      else high = middle;
    }
    const area = this.#areas[low];
    return area && area.start <= address ? area : undefined;
  }

  /** A copy that shares nothing but the bytes (fork(2) with shared memory). */
  fork(): ProcessMemory {
    const copy = new ProcessMemory(this.lockedLimit);
    copy.#areas = this.#areas.map((area) => ({ ...area, unmapped: undefined }));
    copy.#next = this.#next;
    return copy;
  }

  chargeLocked(pages: number): void {
    if (pages > 0 && this.lockedLimit !== undefined && this.locked + pages > this.lockedLimit)
      throw new KernelError(Errno.ENOMEM);
    this.locked += pages;
  }

  /** The process ended. */
  unmapAll(): void {
    this.gone = true;
    const areas = this.#areas;
    this.#areas = [];
    for (const area of areas) area.unmapped?.();
  }
}
