/**
 * What can be asked of a seccomp listener.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import {
  decodeSeccompNotif,
  encodeSeccompNotifAddfd,
  encodeSeccompNotifResp,
  SECCOMP_IOCTL_NOTIF_ADDFD,
  SECCOMP_IOCTL_NOTIF_ID_VALID,
  SECCOMP_IOCTL_NOTIF_RECV,
  SECCOMP_IOCTL_NOTIF_SEND,
  SECCOMP_NOTIF_SIZE,
  SECCOMP_USER_NOTIF_FLAG_CONTINUE,
  type SeccompNotif,
} from '../uapi/seccomp.js';
import type { NativeCalls, NativeFunction } from './native.js';

const O_CLOEXEC = 0o2000000;

export class SeccompCalls {
  readonly #calls: NativeCalls;
  readonly #ioctl: NativeFunction;

  /** @param listener its descriptor */
  constructor(
    calls: NativeCalls,
    readonly listener: number,
  ) {
    this.#calls = calls;
    this.#ioctl = calls.bind('int ioctl(int fd, unsigned long request, void *argument)');
  }

  /** The next call that is held; undefined when its thread is gone. To be asked when there is one, or it waits. */
  receive(): SeccompNotif | undefined {
    const bytes = Buffer.alloc(SECCOMP_NOTIF_SIZE);
    return this.#ask(SECCOMP_IOCTL_NOTIF_RECV, bytes) < 0 ? undefined : decodeSeccompNotif(bytes);
  }

  /**
   * Answers a call; nothing happens when its thread is gone.
   * @param result what it returns, or a negative errno
   */
  answer(id: bigint, result: number): void {
    this.#ask(SECCOMP_IOCTL_NOTIF_SEND, encodeSeccompNotifResp(id, result));
  }

  /** Lets the kernel do what was asked. */
  goOn(id: bigint): void {
    this.#ask(SECCOMP_IOCTL_NOTIF_SEND, encodeSeccompNotifResp(id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
  }

  /** Whether the thread is still there, and waits. */
  isHeld(id: bigint): boolean {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(id);
    return this.#ask(SECCOMP_IOCTL_NOTIF_ID_VALID, bytes) === 0;
  }

  /** @throws ENOENT when the thread is gone */
  assertHeld(id: bigint): void {
    if (!this.isHeld(id)) throw new KernelError(Errno.ENOENT);
  }

  /**
   * Gives the process a copy of a descriptor, closed on exec.
   * @param instead number of a descriptor that it replaces
   * @returns its number there
   * @throws ENOENT when the thread is gone; EMFILE
   */
  addFd(id: bigint, fd: number, instead?: number): number {
    const added = this.#ask(SECCOMP_IOCTL_NOTIF_ADDFD, encodeSeccompNotifAddfd(id, fd, O_CLOEXEC, instead));
    if (added < 0) throw new KernelError(this.#calls.errno);
    return added;
  }

  #ask(request: number, bytes: Buffer): number {
    return this.#ioctl(this.listener, request, bytes);
  }
}
