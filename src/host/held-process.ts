/**
 * A process whose system call a seccomp listener holds (seccomp-filter.ts), and which can therefore be given descriptors.
 *
 * Its thread may be killed while it waits, and its number may then be another's. So what is reached by the number is
 * opened first, and used only when the call is still held after that.
 * @module
 */

import { closeSync } from 'node:fs';
import type { CharFile, UserMemory } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { SeccompNotif } from '../uapi/seccomp.js';
import type { DeviceFile } from './device-files.js';
import { ProcessMemory } from './process-memory.js';
import { RemoteProcess, type Remotes } from './remote-process.js';
import type { SeccompCalls } from './seccomp-calls.js';
import type { SpareFile } from './spare-files.js';
import type { ClientMemory } from './stub/copies.js';
import type { Described } from './stub/descriptors.js';

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
      this.#memory = new ProcessMemory(
        notif.thread,
        this.client,
        remotes.memories.limits,
        remotes.copies,
        remotes.memories.budgets.of(this.client.uid),
      );
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

  /** Memory of the process for this call alone. */
  protected override get own(): ClientMemory {
    return this.#memory.file;
  }

  /** Copies memory of the process, waiting for it as long as the call is held. @throws EFAULT */
  async peek(address: bigint, length: number): Promise<Buffer> {
    return this.remotes.restarts.run(this.thread, 'access', () => this.#memory.read(address, length));
  }

  async poke(address: bigint, bytes: Uint8Array): Promise<void> {
    return this.remotes.restarts.run(this.thread, 'access', () => this.#memory.write(address, bytes));
  }

  override fget(fd: number): CharFile | undefined {
    const file = super.fget(fd);
    this.calls.assertHeld(this.notif.id);
    return file;
  }

  override async describe(fd: number, ...wanted: readonly string[]): Promise<Described<DeviceFile>> {
    const described = await super.describe(fd, ...wanted);
    if (this.calls.isHeld(this.notif.id)) return described;
    if (described.fd !== undefined) closeSync(described.fd);
    throw new KernelError(Errno.ENOENT);
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
    // The process has it from now on.
    this.remotes.restarts.commit();
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
