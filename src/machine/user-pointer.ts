/**
 * The argument of an ioctl as a driver sees it: a number or an address in the memory of the process, or, from a caller in
 * this program, a buffer in place of memory.
 * @module
 */

import type { UserMemory, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';

/** What an ioctl takes. */
export type IoctlArgument = number | bigint | Uint8Array;

export function userPointer(arg: IoctlArgument, memory: UserMemory): UserPointer {
  return arg instanceof Uint8Array ? bufferPointer(arg) : addressPointer(arg, memory);
}

function bufferPointer(arg: Uint8Array): UserPointer {
  const memory = Buffer.from(arg.buffer, arg.byteOffset, arg.length);
  const piece = (offset: number, length: number): Buffer => {
    if (offset + length > memory.length) throw new KernelError(Errno.EFAULT);
    return memory.subarray(offset, offset + length);
  };
  return {
    value: 0,
    read: (length, offset = 0) => Buffer.from(piece(offset, length)),
    write: (bytes, offset = 0) => void piece(offset, bytes.length).set(bytes),
  };
}

function addressPointer(arg: number | bigint, memory: UserMemory): UserPointer {
  const address = BigInt.asUintN(64, BigInt(arg));
  return {
    value: Number(arg),
    read: (length, offset = 0) => memory.read(address + BigInt(offset), length),
    write: (bytes, offset = 0) => memory.write(address + BigInt(offset), bytes),
  };
}
