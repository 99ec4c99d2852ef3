/**
 * Whether a file of another process is still open anywhere, without keeping it open: a mark is a lock on a byte that
 * nobody reads (fcntl(2) F_OFD_SETLK). It belongs to the open file, not to a process or a descriptor, and goes with the
 * last descriptor of it, wherever that is.
 *
 * For files without a name, as those of KVM are: they share one inode, and so do the locks on them.
 * @module
 */

import { randomInt } from 'node:crypto';
import type { NativeCalls, NativeFunction } from './native.js';

// linux/fcntl.h
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
const F_UNLCK = 2;
const EFD_CLOEXEC = 0o2000000;

/** Another program may mark its files in the same way. */
const MARKS = 2 ** 47;

/** `struct flock` for one byte. */
function lockOf(byte: number): Buffer {
  const lock = Buffer.alloc(32);
  lock.writeInt16LE(F_WRLCK, 0);
  lock.writeBigInt64LE(BigInt(byte), 8);
  lock.writeBigInt64LE(1n, 16);
  return lock;
}

export class OpenMarks {
  readonly #fcntl: NativeFunction;
  /** A file without a name that is not marked. */
  readonly #other: number;

  constructor(calls: NativeCalls) {
    this.#fcntl = calls.bind('int fcntl(int fd, int command, void *argument)');
    const eventfd = calls.bind('int eventfd(unsigned int initial, int flags)');
    this.#other = calls.checked('eventfd', eventfd(0, EFD_CLOEXEC));
  }

  /**
   * Marks an open file.
   * @param fd a descriptor of it, to be closed soon
   */
  add(fd: number): number {
    for (;;) {
      const mark = randomInt(MARKS);
      if (this.#fcntl(fd, F_OFD_SETLK, lockOf(mark)) === 0) return mark;
    }
  }

  /** Whether the file with a mark is open. */
  isOpen(mark: number): boolean {
    return this.#conflicts(this.#other, mark);
  }

  /** Whether a file is the one with a mark. */
  has(fd: number, mark: number): boolean {
    return this.isOpen(mark) && !this.#conflicts(fd, mark);
  }

  #conflicts(fd: number, mark: number): boolean {
    const lock = lockOf(mark);
    this.#fcntl(fd, F_OFD_GETLK, lock);
    return lock.readInt16LE(0) !== F_UNLCK;
  }
}
