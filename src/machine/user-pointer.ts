/**
 * The argument of an ioctl as a driver sees it, from an in-process caller: a number, or a buffer in place of memory.
 * @module
 */

import type { UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';

export function userPointer(arg: number | Uint8Array): UserPointer {
  const memory =
    typeof arg === 'number' ? Buffer.alloc(0) : Buffer.from(arg.buffer, arg.byteOffset, arg.length);
  const piece = (offset: number, length: number): Buffer => {
    if (offset + length > memory.length) throw new KernelError(Errno.EFAULT);
    return memory.subarray(offset, offset + length);
  };
  return {
    value: typeof arg === 'number' ? arg : 0,
    read: (length, offset = 0) => Buffer.from(piece(offset, length)),
    write: (bytes, offset = 0) => void piece(offset, bytes.length).set(bytes),
  };
}
