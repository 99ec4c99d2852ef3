/**
 * A request on an iommufd while it runs (`struct iommufd_ucmd`): the caller's structure as the kernel knows it, and the
 * way back.
 *
 * Structures grow at their end: a shorter one counts as zeros from there on, and a longer one has to be zeros there.
 * @module
 */

import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { IommuStruct } from '../uapi/iommufd.js';

const PAGE_SIZE = 4096;
/** Bytes of the longest structure. A kernel would look at four gigabytes, and only the caller waits for that. */
const LONGEST = 1 << 20;

export class IommufdCmd {
  /** The structure, in the size that the kernel knows. */
  readonly bytes: Buffer;
  readonly #userSize: number;

  /**
   * Copies the structure in (`copy_struct_from_user`).
   * @param userSize the caller's size of the structure
   * @throws EINVAL for less than the oldest form of it; E2BIG for non-zero bytes beyond what the kernel knows; EFAULT
   */
  constructor(
    readonly arg: UserPointer,
    readonly caller: Caller,
    userSize: number,
    { size, minSize }: IommuStruct,
  ) {
    if (userSize < minSize) throw new KernelError(Errno.EINVAL);
    this.#userSize = userSize;
    if (userSize > LONGEST) throw new KernelError(Errno.E2BIG);
    // The end is looked at first: of a structure whose end is not zero, nothing is copied.
    for (let at = size; at < userSize; ) {
      const next = Math.min(userSize, at + PAGE_SIZE - ((arg.value + at) % PAGE_SIZE));
      if (!isZero(arg, at, next)) throw new KernelError(Errno.E2BIG);
      at = next;
    }
    this.bytes = Buffer.alloc(size);
    arg.read(Math.min(size, userSize)).copy(this.bytes);
  }

  /**
   * Copies the structure back (`iommufd_ucmd_respond`).
   * @throws EFAULT
   */
  respond(): void {
    this.arg.write(this.bytes.subarray(0, Math.min(this.bytes.length, this.#userSize)));
  }
}

/** Whether memory within a page is zero; a byte that is not, is found before one behind it turns out to be missing. */
function isZero(arg: UserPointer, from: number, to: number): boolean {
  try {
    return arg.read(to - from, from).every((byte) => byte === 0);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    for (let at = from; at < to; at++) if (arg.read(1, at)[0] !== 0) return false;
    return true;
  }
}
