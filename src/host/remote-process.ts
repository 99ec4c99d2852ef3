/**
 * A process of the machine that uses emulated devices, for the time of one system call: a thread of it waits for the
 * answer. What it names by a number, a descriptor or an address, is looked up in /proc.
 *
 * A descriptor is known by the inode number of its file, which the daemon gave to one open file alone (fuse/char-ops.ts).
 * A link to a file of the daemon's own mount is never followed: that would ask the daemon.
 * @module
 */

import { readFileSync, readlinkSync } from 'node:fs';
import type { Caller, CharFile, UserMemory, UserPointer } from '../base/file.js';
import type { DirectCalls } from '../fuse/device.js';
import { Errno, KernelError } from '../lib/errno.js';
import { identityOf, LockLimits } from './lock-limits.js';
import { ProcessMemory } from './process-memory.js';
import type { PidfdCalls } from './pidfd.js';
import type { ProcessVm } from './process-vm.js';
import { RemoteEventfd } from './remote-eventfd.js';

/** What all processes share. */
export interface Remotes {
  readonly vm: ProcessVm;
  readonly pidfds: PidfdCalls;
  readonly write: DirectCalls['write'];
  /** Open files of the mount by the number of their inode. */
  fileOf(ino: number, pid: number): CharFile | undefined;
  readonly memories: ProcessMemories;
  /** @throws ENOTTY */
  refuseInstall(process: RemoteProcess): never;
}

/** The memory of each process that a device has to do with. */
export class ProcessMemories {
  readonly limits = new LockLimits();
  readonly #byProcess = new Map<string, WeakRef<ProcessMemory>>();

  /** @param thread one of the process that waits for this program */
  of(thread: number, pid: number): ProcessMemory {
    const key = identityOf(pid);
    const known = this.#byProcess.get(key)?.deref();
    if (known && !known.gone) return known;
    const memory = new ProcessMemory(thread, pid, this.limits);
    for (const [other, ref] of this.#byProcess) if (!ref.deref()) this.#byProcess.delete(other);
    this.#byProcess.set(key, new WeakRef(memory));
    return memory;
  }
}

export class RemoteProcess implements Caller {
  #pid: number | undefined;
  #memory: ProcessMemory | undefined;
  /** Files that were made for this call alone, unless somebody keeps them. */
  readonly #borrowed: CharFile[] = [];

  /** @param thread its number; the thread waits until the call is answered */
  constructor(
    readonly thread: number,
    readonly remotes: Remotes,
  ) {}

  get pid(): number {
    this.#pid ??= processOf(this.thread);
    return this.#pid;
  }

  get memory(): UserMemory {
    this.#memory ??= this.remotes.memories.of(this.thread, this.pid);
    return this.#memory;
  }

  /** The argument of an ioctl. */
  pointer(argument: bigint): UserPointer {
    const { remotes, thread } = this;
    const value = Number(argument);
    return {
      value,
      read: (length, offset = 0) => remotes.vm.read(thread, value + offset, length),
      write: (bytes, offset = 0) => remotes.vm.write(thread, value + offset, bytes),
    };
  }

  fget(fd: number): CharFile | undefined {
    const { ino, link } = this.describe(fd);
    if (link === 'anon_inode:[eventfd]')
      return this.#borrow(new RemoteEventfd(this.dup(fd), this.remotes.write));
    return link.startsWith('/') ? this.remotes.fileOf(ino, this.pid) : undefined;
  }

  /**
   * What /proc tells of a descriptor.
   * @throws EBADF for one that is not open
   */
  describe(fd: number): { ino: number; link: string } {
    try {
      const info = readFileSync(`/proc/${this.thread}/fdinfo/${fd}`, 'latin1');
      return {
        ino: Number(/^ino:\s*(\d+)$/m.exec(info)?.[1]),
        link: readlinkSync(`/proc/${this.thread}/fd/${fd}`),
      };
    } catch {
      throw new KernelError(Errno.EBADF);
    }
  }

  /**
   * A call that arrives by way of FUSE cannot give the process a descriptor.
   * @throws ENOTTY
   */
  install(_file: CharFile): number {
    return this.remotes.refuseInstall(this);
  }

  /** The call is answered. */
  end(): void {
    for (let file = this.#borrowed.pop(); file; file = this.#borrowed.pop()) file.put();
  }

  #borrow(file: CharFile): CharFile {
    this.#borrowed.push(file.get());
    return file;
  }

  /**
   * A copy of a descriptor, the caller's to close.
   * @throws EBADF
   */
  dup(fd: number): number {
    return this.remotes.pidfds.getfd(this.pid, fd);
  }
}

function processOf(thread: number): number {
  return Number(/^Tgid:\s*(\d+)$/m.exec(readFileSync(`/proc/${thread}/status`, 'latin1'))![1]);
}
