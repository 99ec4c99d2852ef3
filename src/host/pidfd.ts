/**
 * Descriptors of other processes (pidfd_open(2), pidfd_getfd(2)). Needs the right to trace them.
 * @module
 */

import { closeSync } from 'node:fs';
import { Errno, KernelError } from '../lib/errno.js';
import type { NativeCalls, NativeFunction } from './native.js';
import { SYS_PIDFD_GETFD, SYS_PIDFD_OPEN } from './stub/system-calls.js';

export class PidfdCalls {
  readonly #calls: NativeCalls;
  readonly #open: NativeFunction;
  readonly #getfd: NativeFunction;

  constructor(calls: NativeCalls) {
    this.#calls = calls;
    this.#open = calls.bind('long syscall(long number, int pid, unsigned int flags)');
    this.#getfd = calls.bind('long syscall(long number, int pidfd, int fd, unsigned int flags)');
  }

  /**
   * A descriptor that stands for a process, the caller's to close.
   * @throws Error that names the call and its errno
   */
  open(pid: number): number {
    return this.#calls.checked('pidfd_open', Number(this.#open(SYS_PIDFD_OPEN, pid, 0)));
  }

  /**
   * A copy of a descriptor, the caller's to close.
   * @throws Error that names the call and its errno
   */
  take(pidfd: number, fd: number): number {
    return this.#calls.checked('pidfd_getfd', Number(this.#getfd(SYS_PIDFD_GETFD, pidfd, fd, 0)));
  }

  /**
   * The same, by the number of the process.
   * @throws KernelError EBADF when it cannot be had
   */
  getfd(pid: number, fd: number): number {
    let pidfd: number | undefined;
    try {
      pidfd = this.open(pid);
      return this.take(pidfd, fd);
    } catch {
      throw new KernelError(Errno.EBADF);
    } finally {
      if (pidfd !== undefined) closeSync(pidfd);
    }
  }
}
