/**
 * The IOCTL request on the wire (include/uapi/linux/fuse.h `fuse_ioctl_in`, `fuse_ioctl_out`), little endian.
 *
 * The argument is what the caller gave, a number or an address in its memory. A request whose code says nothing of a
 * size, as VFIO's, comes without data: whoever answers reaches into the caller's memory by himself.
 * @module
 */

import { FUSE_IN_HEADER_SIZE } from './fuse.js';

export const FUSE_IOCTL_OUT_SIZE = 16;

const BODY = FUSE_IN_HEADER_SIZE;
const TWO32 = 0x1_0000_0000;

export interface FuseIoctlIn {
  fh: number;
  /** Code of the request. */
  command: number;
  argument: bigint;
}

export function decodeIoctlIn(b: Buffer): FuseIoctlIn {
  return {
    fh: b.readUInt32LE(BODY) + b.readUInt32LE(BODY + 4) * TWO32,
    command: b.readUInt32LE(BODY + 12),
    argument: b.readBigUInt64LE(BODY + 16),
  };
}

/** @param result what ioctl(2) returns */
export function encodeIoctlOut(b: Buffer, at: number, result: number): void {
  b.fill(0, at, at + FUSE_IOCTL_OUT_SIZE);
  b.writeInt32LE(result, at);
}
