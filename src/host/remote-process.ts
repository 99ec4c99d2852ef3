/**
 * A process of the machine that uses emulated devices, for the time of one system call: a thread of it waits for the
 * answer. What it names by a number, a descriptor or an address, is looked up and copied by stubs (stub/).
 *
 * A link to a file of the daemon's own mount is never followed here: that would ask the daemon.
 * @module
 */

import { readFileSync } from 'node:fs';
import type { Caller, CharFile, UserMemory, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { DeviceFile } from './device-files.js';
import { identityOf, LockLimits } from './lock-limits.js';
import { ProcessMemory } from './process-memory.js';
import { RemoteEventfd } from './remote-eventfd.js';
import type { ClientMemory, Copies } from './stub/copies.js';
import type { Described, Descriptors } from './stub/descriptors.js';
import type { EventfdSignals } from './stub/eventfd-signals.js';
import type { Restarts } from './stub/restart.js';
import type { Client } from './stub/stubs.js';
import { UserBudgets } from './user-budget.js';

const PAGE_SIZE = 4096;
/** Of the argument of an ioctl, so much is copied at once, as far as it is in the page where it begins. */
const READ_AHEAD = 256;
const EVENTFD = 'anon_inode:[eventfd]';

/** What all processes share. */
export interface Remotes {
  readonly copies: Copies;
  readonly restarts: Restarts;
  readonly descriptors: Descriptors<DeviceFile>;
  readonly signals: EventfdSignals;
  readonly memories: ProcessMemories;
  /** @throws ENOTTY */
  refuseInstall(process: RemoteProcess): never;
}

/** The memory of each process that a device has to do with. */
export class ProcessMemories {
  readonly limits = new LockLimits();
  readonly budgets = new UserBudgets();
  readonly #byProcess = new Map<string, WeakRef<ProcessMemory>>();

  constructor(readonly copies: Copies) {}

  /** @param thread one of the process that waits for this program */
  of(thread: number, client: Client): ProcessMemory {
    const key = identityOf(client.pid);
    const known = this.#byProcess.get(key)?.deref();
    if (known && !known.gone) return known;
    const memory = new ProcessMemory(thread, client, this.limits, this.copies, this.budgets.of(client.uid));
    for (const [other, ref] of this.#byProcess) if (!ref.deref()) this.#byProcess.delete(other);
    this.#byProcess.set(key, new WeakRef(memory));
    return memory;
  }
}

export class RemoteProcess implements Caller {
  readonly client: Client;
  #memory: ProcessMemory | undefined;
  /** Files that were made for this call alone, unless somebody keeps them. */
  readonly #borrowed: CharFile[] = [];

  /** @param thread its number; the thread waits until the call is answered */
  constructor(
    readonly thread: number,
    readonly remotes: Remotes,
  ) {
    this.client = new ThreadClient(thread);
  }

  get pid(): number {
    return this.client.pid;
  }

  get memory(): UserMemory {
    this.#memory ??= this.remotes.memories.of(this.thread, this.client);
    return this.#memory;
  }

  /** The memory that arguments of its calls are in. */
  protected get own(): ClientMemory {
    return { client: this.client, thread: this.thread };
  }

  /** The argument of an ioctl. */
  pointer(argument: bigint): UserPointer {
    return new RemotePointer(argument, this.own, this.remotes.copies);
  }

  /** The same as {@link file}, where the model asks in the middle of a call. */
  fget(fd: number): CharFile | undefined {
    return this.remotes.restarts.wait(() => `descriptor ${fd}`, {
      begin: () => this.file(fd),
      insist: () => {
        throw new KernelError(Errno.EBADF);
      },
    });
  }

  /** The file behind a descriptor, as {@link Caller.fget} has it. */
  async file(fd: number): Promise<CharFile | undefined> {
    const { file, fd: copy } = await this.describe(fd, EVENTFD);
    if (copy === undefined) return file?.device;
    const { pid, uid } = this.client;
    const eventfd = new RemoteEventfd(copy, this.remotes.signals, { pid, uid });
    this.#borrowed.push(eventfd.get());
    return eventfd;
  }

  /**
   * What a descriptor stands for.
   * @param wanted names of files without a path that a copy is wanted of
   * @throws EBADF for one that is not open
   */
  describe(fd: number, ...wanted: readonly string[]): Promise<Described<DeviceFile>> {
    return this.remotes.descriptors.describe(this.client, this.thread, fd, ...wanted);
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
}

class RemotePointer implements UserPointer {
  readonly value: number;
  /** What was copied from its beginning. It stays what it was, also when the answer is written over it. */
  #ahead: Buffer | undefined;

  constructor(
    readonly argument: bigint,
    readonly memory: ClientMemory,
    readonly copies: Copies,
  ) {
    this.value = Number(argument);
  }

  read(length: number, offset = 0): Buffer {
    if (offset === 0 && !this.#ahead) this.#ahead = this.#copy(Math.max(length, this.#inPage), 0);
    const end = offset + length;
    if (this.#ahead && end <= this.#ahead.length) return Buffer.from(this.#ahead.subarray(offset, end));
    return this.#copy(length, offset);
  }

  write(bytes: Uint8Array, offset = 0): void {
    this.copies.write(this.memory, this.#at(offset), bytes);
  }

  get #inPage(): number {
    return Math.min(READ_AHEAD, PAGE_SIZE - (this.value % PAGE_SIZE));
  }

  #copy(length: number, offset: number): Buffer {
    const target = Buffer.allocUnsafe(length);
    this.copies.read(this.memory, this.#at(offset), target);
    return target;
  }

  /** Of an address beyond what a number holds exactly, no process has memory. @throws EFAULT */
  #at(offset: number): number {
    const address = this.value + offset;
    if (address > Number.MAX_SAFE_INTEGER) throw new KernelError(Errno.EFAULT);
    return address;
  }
}

/** The process of a thread, and its user, once somebody wants to know: the kernel has to be asked. */
class ThreadClient implements Client {
  #found: Client | undefined;

  constructor(readonly thread: number) {}

  get pid(): number {
    return this.#client.pid;
  }

  get uid(): number {
    return this.#client.uid;
  }

  get #client(): Client {
    this.#found ??= clientOf(this.thread);
    return this.#found;
  }
}

/** Of a thread that is gone nobody knows more: what it made wait is counted for nobody else. */
const unknown = (thread: number): Client => ({ pid: thread, uid: -1 });

function clientOf(thread: number): Client {
  let status: string;
  try {
    status = readFileSync(`/proc/${thread}/status`, 'latin1');
  } catch {
    return unknown(thread);
  }
  const number = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)![1]);
  return { pid: number('Tgid'), uid: number('Uid') };
}
