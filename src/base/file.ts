/**
 * Open character devices (`struct file_operations`): what a driver does when user space opens its node, and what it
 * may ask of the process that calls.
 * @module
 */

import type { Sleeps } from '../lib/sleep.js';

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
  /**
   * The file behind a descriptor (`fget`); undefined for one that is no character device.
   * @throws EBADF when the descriptor is not open
   */
  fget(fd: number): CharFile | undefined;
  /** Gives the process a new descriptor (`fd_install`). */
  install(file: CharFile): number;
}

/** An open character device, shared by all descriptors that were duplicated from one. */
export interface CharFile {
  /**
   * @returns the call's result, a descriptor or 0 for most requests
   * @throws ENOTTY for a request that the device does not know, and what the request says
   */
  ioctl(request: number, arg: UserPointer, caller: Caller): Sleeps<number>;
  /** The last descriptor is gone. */
  release(): void;
}

/** What opening a device's node does. */
export type OpenDevice = () => CharFile;
