/**
 * What a session asks of whoever answers for the character devices of a tree. The session knows numbers of files and
 * threads; what a device is, and whose memory an argument points to, others know.
 * @module
 */

import type { KernfsNode } from '../kernfs/node.js';
import type { Sleeps } from '../lib/sleep.js';

/** An open device, by way of one open(2). All of it throws KernelError. */
export interface OpenDeviceFile {
  /** @param thread number of the thread that asks; it waits for the answer */
  read(length: number, offset: number, thread: number): Sleeps<Uint8Array>;
  /** @returns how many of the bytes were taken; they are the caller's again when it returns or settles */
  write(bytes: Buffer, offset: number, thread: number): Sleeps<number>;
  /**
   * @param argument a number, or an address in the memory of the thread that asks
   * @param thread its number; it waits for the answer, so it is there until then
   * @returns what ioctl(2) returns
   */
  ioctl(request: number, argument: bigint, thread: number): Sleeps<number>;
  /** Events that are there (POLL*). */
  poll(): number;
  /** The file that mmap(2) maps, as the kernel knows it; undefined where nothing can be mapped. */
  readonly backing: number | undefined;
  release(): void;
}

export interface CharDevices {
  /**
   * open(2).
   * @param flags O_*
   * @throws KernelError with what the device says, ENXIO for a node that no driver answers for
   */
  open(node: KernfsNode, flags: number): OpenDeviceFile;
  /** Whether something is mounted on the node, so that it has to stay the same file for all who find it. */
  isCovered?(node: KernfsNode): boolean;
  /** Whether a device's memory can be mapped by the node, where the kernel can do that. */
  isMappable?(node: KernfsNode): boolean;
  /**
   * A file that no name leads to, and that stands in the root for who knows its name; see {@link CharDevices.open}.
   */
  find?(name: string, thread: number): KernfsNode | undefined;
}
