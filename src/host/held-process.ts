/**
 * A process whose system call a seccomp listener holds (seccomp-filter.ts), and which can therefore be given descriptors.
 *
 * Its thread may be killed while it waits, and its number may then be another's. So what is reached by the number is
 * opened first, and used only when the call is still held after that.
 * @module
 */

import { closeSync } from 'node:fs';
import type { CharFile, UserMemory, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { SeccompNotif } from '../uapi/seccomp.js';
import { ProcessMemory } from './process-memory.js';
import { RemoteProcess, type Remotes } from './remote-process.js';
import type { SeccompCalls } from './seccomp-calls.js';
import type { SpareFile } from './spare-files.js';

export class HeldProcess extends RemoteProcess {
  readonly #memory: ProcessMemory;
  #ended = false;

  /**
   * @param spares open files for what the call hands out
   * @throws KernelError ENOENT when the thread is gone
   */
  constructor(
    readonly notif: SeccompNotif,
    readonly calls: SeccompCalls,
    remotes: Remotes,
    readonly spares: SpareFile[] = [],
  ) {
    super(notif.thread, remotes);
    try {
      this.#memory = new ProcessMemory(notif.thread, this.pid, remotes.memories.limits);
    } catch {
      throw new KernelError(Errno.ENOENT);
    }
    if (!calls.isHeld(notif.id)) {
      this.#memory.close();
      throw new KernelError(Errno.ENOENT);
    }
  }

  override get memory(): UserMemory {
    const memory = super.memory;
    this.calls.assertHeld(this.notif.id);
    return memory;
  }

  override pointer(argument: bigint): UserPointer {
    const memory = this.#memory;
    return {
      value: Number(argument),
      read: (length, offset = 0) => memory.read(argument + BigInt(offset), length),
      write: (bytes, offset = 0) => memory.write(argument + BigInt(offset), bytes),
    };
  }

  /** Memory of the process for this call alone. */
  peek(address: bigint, length: number): Buffer {
    return this.#memory.read(address, length);
  }

  poke(address: bigint, bytes: Uint8Array): void {
    this.#memory.write(address, bytes);
  }

  override fget(fd: number): CharFile | undefined {
    const file = super.fget(fd);
    this.calls.assertHeld(this.notif.id);
    return file;
  }

  override dup(fd: number): number {
    const copy = super.dup(fd);
    try {
      this.calls.assertHeld(this.notif.id);
      return copy;
    } catch (error) {
      closeSync(copy);
      throw error;
    }
  }

  /** @throws ENFILE when no file is ready; ENOENT when the thread is gone; EMFILE */
  override install(file: CharFile): number {
    return this.#give(file);
  }

  /** Puts a file in the place of one that is open. Same errors as {@link install}. */
  replace(fd: number, file: CharFile): void {
    this.#give(file, fd);
  }

  #give(file: CharFile, instead?: number): number {
    const spare = this.spares.pop();
    if (!spare) throw new KernelError(Errno.ENFILE);
    try {
      spare.become(file);
      return this.calls.addFd(this.notif.id, spare.fd, instead);
    } finally {
      closeSync(spare.fd);
    }
  }

  override end(): void {
    super.end();
    for (const { fd } of this.spares.splice(0)) closeSync(fd);
    if (this.#ended) return;
    this.#ended = true;
    this.#memory.close();
  }
}
