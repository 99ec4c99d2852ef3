/**
 * The IOCTL request on the wire (include/uapi/linux/fuse.h `fuse_ioctl_in`, `fuse_ioctl_out`), little endian.
 *
 * The argument is what the caller gave, a number or an address in its memory. A request whose code says nothing of a
 * size, as VFIO's, comes without data: whoever answers reaches into the caller's memory by himself.
 * @module
 */

import { getU32, getU64, putU32 } from '../lib/le.js';
import { FUSE_IN_HEADER_SIZE } from './fuse.js';

export const FUSE_IOCTL_OUT_SIZE = 16;

const BODY = FUSE_IN_HEADER_SIZE;

export interface FuseIoctlIn {
  fh: number;
  /** Code of the request. */
  command: number;
  argument: bigint;
}

export function decodeIoctlIn(b: Buffer): FuseIoctlIn {
  return {
    fh: getU64(b, BODY),
    command: getU32(b, BODY + 12),
    argument: b.readBigUInt64LE(BODY + 16),
  };
}

/** @param result what ioctl(2) returns */
export function encodeIoctlOut(b: Buffer, at: number, result: number): void {
  putU32(b, at, result);
  putU32(b, at + 4, 0);
  putU32(b, at + 8, 0);
  putU32(b, at + 12, 0);
}
