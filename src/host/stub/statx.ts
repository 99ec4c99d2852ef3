/**
 * statx(2) as a stub makes it: what the kernel knows of a file, usually without asking the file system.
 * @module
 */

import { KernelError } from '../../lib/errno.js';
import { Stub } from './stub.js';
import { SYS } from './system-calls.js';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_BASIC_STATS = 0x7ff;
/** Where the path is, and behind it what is told. */
const PATH_ROOM = 4096;

export interface Statx {
  /** Of the file system, as in st_dev of stat(2). */
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mode: number;
  readonly rdev: bigint;
}

/**
 * @param of a descriptor of the stub, or a path of which nothing is followed at its end
 * @param asks whether the file system is asked after all, where it may know better
 * @throws KernelError
 */
export async function statxOf(
  stub: Stub,
  patience: number,
  of: number | string,
  asks = false,
): Promise<Statx> {
  const path = typeof of === 'string' ? of : '';
  stub.data.write(`${path}\0`);
  const flags = typeof of === 'string' ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
  const result = await stub.call(
    patience,
    SYS.statx,
    typeof of === 'string' ? AT_FDCWD : of,
    Stub.DATA,
    asks ? flags : flags | AT_STATX_DONT_SYNC,
    STATX_BASIC_STATS,
    Stub.DATA + PATH_ROOM,
  );
  if (result < 0) throw new KernelError(-result);
  const told = stub.data.subarray(PATH_ROOM);
  return {
    mode: told.readUInt16LE(28),
    ino: told.readBigUInt64LE(32),
    rdev: deviceOf(told.readUInt32LE(128), told.readUInt32LE(132)),
    dev: deviceOf(told.readUInt32LE(136), told.readUInt32LE(140)),
  };
}

/** A device number as stat(2) has it, from its parts. */
export function deviceOf(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & ~0xfffn) << 32n) | ((a & 0xfffn) << 8n) | ((b & ~0xffn) << 12n) | (b & 0xffn);
}
