/**
 * Open character devices (`struct file_operations`): what a driver does when user space opens its node, and what it
 * may ask of the process that calls.
 * @module
 */

import type { Sleeps } from '../lib/sleep.js';
import type { Device } from './device.js';

/** The memory of a process (`struct mm_struct`), as far as drivers reach into it. */
export interface UserMemory {
  /** @throws EFAULT when a byte of it is not mapped, or may not be read */
  read(address: bigint, length: number): Buffer;
  /**
   * Copies into a buffer that somebody has, as long as that is. What precedes an error is copied.
   * @throws EFAULT as {@link read}
   */
  readInto(address: bigint, target: Buffer): void;
  /** @throws EFAULT when a byte of it is not mapped, or may not be written; nothing is written then */
  write(address: bigint, bytes: Uint8Array): void;
  /**
   * The memory itself, where it is one piece that this program can reach: it stays what it is when the process unmaps
   * it. Undefined where it is not; {@link read} and {@link write} serve then.
   * @throws EFAULT when a byte of it is not mapped, or may not be read, or not be written where that is asked for
   */
  view?(address: bigint, length: number, write: boolean): Buffer | undefined;
  /**
   * Brings pages in, where they are copied one after the other otherwise (`fault_in_readable`).
   * @throws EFAULT when a byte of it is not mapped
   */
  faultIn?(address: bigint, length: number): void;
  /** The process has ended. */
  readonly gone?: boolean;
  /** Pages that devices hold (`locked_vm`). */
  readonly locked: number;
  /**
   * Counts pages as locked; a negative number gives back.
   * @throws ENOMEM beyond RLIMIT_MEMLOCK, which does not hold for root
   */
  chargeLocked(pages: number): void;
  /**
   * Counts what the kernel keeps for the process, such as a mapping (GFP_KERNEL_ACCOUNT); a negative number gives back.
   * @throws ENOMEM beyond what its user may have kept; without it there is no limit
   */
  charge?(objects: number): void;
}

/** The memory that an ioctl's argument points to. */
export interface UserPointer {
  /** The argument as a number, for requests that take one. */
  readonly value: number;
  /**
   * `copy_from_user`.
   * @throws EFAULT when the memory ends before `length` bytes
   */
  read(length: number, offset?: number): Buffer;
  /**
   * `copy_to_user`.
   * @throws EFAULT when the memory ends before the bytes do
   */
  write(bytes: Uint8Array, offset?: number): void;
}

/** The process that makes a call, as far as drivers see it. */
export interface Caller {
  readonly memory: UserMemory;
  readonly pid: number;
  /**
   * The file behind a descriptor (`fget`); undefined for one that is no character device.
   * @throws EBADF when the descriptor is not open
   */
  fget(fd: number): CharFile | undefined;
  /** Gives the process a new descriptor (`fd_install`). */
  install(file: CharFile): number;
}

/** An open character device, or a file without a name, shared by all descriptors that were duplicated from one. */
export abstract class CharFile {
  /** What /proc/PID/fd shows for a file that has no path, such as `anon_inode:[vfio-device]`. */
  readonly name: string | undefined = undefined;
  private references_ = 0;

  /** The device that the file is about, where it is about one. */
  get subject(): Device | undefined {
    return undefined;
  }

  /** Takes a reference: a descriptor, a mapping, another file (`get_file`). */
  get(): this {
    this.references_++;
    return this;
  }

  /** Gives it back (`fput`); with the last one the file is released. */
  put(): void {
    if (--this.references_ === 0) this.release();
  }

  /**
   * @returns the call's result, a descriptor or 0 for most requests
   * @throws ENOTTY for a request that the device does not know, and what the request says
   */
  ioctl?(request: number, arg: UserPointer, caller: Caller): Sleeps<number>;
  /** Reads at an offset; without it, read(2) is EINVAL. */
  read?(length: number, offset: number): Uint8Array;
  /** Writes at an offset, and returns how much; without it, write(2) is EINVAL. */
  write?(bytes: Uint8Array, offset: number): number;
  /** The memory behind a shared mapping; without it, mmap(2) is ENODEV. */
  mmap?(offset: number, length: number): Uint8Array;
  /** Events that are there (POLL*); without it, a file is always ready. */
  poll?(): number;
  /** Nothing refers to the file any more. */
  protected abstract release(): void;
}

/** What opening a device's node does. */
export type OpenDevice = () => CharFile;
