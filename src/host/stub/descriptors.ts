/**
 * What a descriptor of a client stands for, told by what the file is: a client chooses its number, its name and the number
 * of its inode. A stub takes a copy of the descriptor and looks at that, since a file of a client's own file system
 * answers when that wants to, also when it is closed.
 *
 * A file of this program's own mount is asked which of its open files it is, by a request that comes back here.
 * @module
 */

import { readlinkSync } from 'node:fs';
import { Errno, KernelError } from '../../lib/errno.js';
import type { PidfdCalls } from '../pidfd.js';
import { type Statx, statxOf } from './statx.js';
import type { Stub } from './stub.js';
import type { Client, Stubs } from './stubs.js';
import { F_GETFL, O_PATH, PIDFD_THREAD, SYS, SYS_PIDFD_GETFD, SYS_PIDFD_OPEN } from './system-calls.js';

/** The request by which a stub asks a file of our own what it is: _IO('m', 0xde). Nobody else is answered. */
export const WHICH = 0x6dde;

/** What a descriptor stands for. */
export interface Described<File> {
  /** What the kernel calls it: a path, or a name such as `anon_inode:[eventfd]`. */
  readonly link: string;
  /** A copy of it, for one without a name that was asked for; whoever asks closes it. */
  readonly fd?: number;
  /** The file of ours. */
  readonly file?: File | undefined;
}

export class Descriptors<File> {
  /** Files by the stub that asked for one. */
  readonly #asked = new Map<number, File | undefined>();

  /**
   * @param device `st_dev` of the mount whose files are ours
   */
  constructor(
    readonly stubs: Stubs,
    readonly pidfds: PidfdCalls,
    readonly device: bigint,
  ) {}

  /**
   * Answers a request on a file of our own.
   * @param thread who asks
   * @returns whether it was a stub that wants to know which file it is
   */
  answers(file: File, request: number, thread: number): boolean {
    if (request !== WHICH || !this.#asked.has(thread)) return false;
    this.#asked.set(thread, file);
    return true;
  }

  /**
   * @param thread has the descriptor, and waits for this program
   * @param wanted names of files without a path that a copy is wanted of
   * @throws EBADF for one that is not open
   */
  describe(
    client: Client,
    thread: number,
    fd: number,
    ...wanted: readonly string[]
  ): Promise<Described<File>> {
    return this.#withCopy(client, thread, fd, async (stub, patience, copy) => {
      const link = readlinkSync(`/proc/${stub.pid}/fd/${copy}`);
      if (!link.startsWith('/'))
        return wanted.includes(link) ? { link, fd: this.pidfds.getfd(stub.pid, copy) } : { link };
      const stat = await ifToBeHad(statxOf(stub, patience, copy));
      return { link, file: stat?.dev === this.device ? await this.#ask(stub, copy) : undefined };
    });
  }

  /**
   * What the file system of a descriptor's file says of it. The client waits for that, and nobody else.
   * @returns undefined when it says nothing
   * @throws EBADF for one that is not open
   */
  statOfDescriptor(client: Client, thread: number, fd: number): Promise<Statx | undefined> {
    return this.#withCopy(client, thread, fd, (stub, patience, copy) =>
      ifToBeHad(statxOf(stub, patience, copy, true)),
    );
  }

  async #withCopy<T>(
    client: Client,
    thread: number,
    fd: number,
    look: (stub: Stub, patience: number, copy: number) => Promise<T>,
  ): Promise<T> {
    return this.stubs.use(client, thread, async (stub, patience) => {
      const copy = await copyOf(stub, patience, client, thread, fd);
      try {
        return await look(stub, patience, copy);
      } finally {
        await stub.call(patience, SYS.close, copy);
      }
    });
  }

  /** What is at a path of our own. */
  async statOf(client: Client, thread: number, path: string): Promise<Statx | undefined> {
    return this.stubs.use(client, thread, (stub, patience) => ifToBeHad(statxOf(stub, patience, path)));
  }

  async #ask(stub: Stub, fd: number): Promise<File | undefined> {
    this.#asked.set(stub.pid, undefined);
    try {
      await stub.call(0, SYS.ioctl, fd, WHICH, 0);
      return this.#asked.get(stub.pid);
    } finally {
      this.#asked.delete(stub.pid);
    }
  }
}

/** Undefined for what the kernel refuses. */
async function ifToBeHad<T>(told: Promise<T>): Promise<T | undefined> {
  try {
    return await told;
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/** A copy of a descriptor, in the stub. @throws EBADF when it is not open, or only names its file */
async function copyOf(
  stub: Stub,
  patience: number,
  client: Client,
  thread: number,
  fd: number,
): Promise<number> {
  let pidfd = await stub.call(patience, SYS_PIDFD_OPEN, thread, PIDFD_THREAD);
  if (pidfd === -Errno.EINVAL) pidfd = await stub.call(patience, SYS_PIDFD_OPEN, client.pid, 0);
  if (pidfd < 0) throw new KernelError(Errno.EBADF);
  const copy = await stub.call(patience, SYS_PIDFD_GETFD, pidfd, fd, 0);
  await stub.call(patience, SYS.close, pidfd);
  if (copy < 0) throw new KernelError(Errno.EBADF);
  const flags = await stub.call(patience, SYS.fcntl, copy, F_GETFL, 0);
  if (flags < 0 || flags & O_PATH) {
    await stub.call(patience, SYS.close, copy);
    throw new KernelError(Errno.EBADF);
  }
  return copy;
}
