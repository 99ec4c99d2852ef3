/**
 * The character devices of a machine for processes of the real one: what a session asks for (fuse/char-device.ts), done
 * by the same system calls on open devices that emulated processes use.
 * @module
 */

import { DeviceNode } from '../base/devtmpfs.js';
import type { CharFile } from '../base/file.js';
import type { CharDevices, OpenDeviceFile } from '../fuse/char-device.js';
import type { Log } from '../fuse/transport.js';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../kernfs/file.js';
import { KernfsNode } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import { andThen, type Sleeps } from '../lib/sleep.js';
import { DeviceCalls, type Runs } from '../machine/device-calls.js';
import type { Machine } from '../machine/machine.js';
import type { OpenFile } from '../machine/open-file.js';
import { vfioModule } from '../vfio/core.js';
import type { VfioDevice } from '../vfio/device.js';
import { VfioDeviceFile } from '../vfio/device-file.js';
import type { ForeignVms } from './foreign-vms.js';
import type { NativeCalls } from './native.js';
import { PidfdCalls } from './pidfd.js';
import type { Placeholders } from './placeholders.js';
import { ProcessMemories, RemoteProcess, type Remotes } from './remote-process.js';
import { Copies } from './stub/copies.js';
import { Descriptors } from './stub/descriptors.js';
import { EventfdSignals } from './stub/eventfd-signals.js';
import { type Repeated, Restarts } from './stub/restart.js';
import { Stubs } from './stub/stubs.js';

const ALWAYS_READY = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

/** Memory of devices that the kernel can map for processes. */
export interface MappedFiles {
  /** The number of the file behind an open device; undefined for one that has nothing to be mapped. */
  backingOf(vdev: VfioDevice): number | undefined;
}

/** A node that is not in the tree. */
export abstract class NamelessNode extends KernfsNode {
  abstract open(): OpenDeviceFile;
}

/** Finds those. */
export type NamelessNodes = Required<Pick<CharDevices, 'find'>>;

export class DeviceFiles implements CharDevices, Remotes {
  readonly stubs: Stubs;
  readonly restarts = new Restarts();
  readonly copies: Copies;
  readonly descriptors: Descriptors<DeviceFile>;
  readonly signals: EventfdSignals;
  readonly memories: ProcessMemories;
  readonly calls: DeviceCalls;
  readonly #open = new Set<DeviceFile>();
  mapped: MappedFiles | undefined;
  nameless: NamelessNodes | undefined;
  placeholders: Placeholders | undefined;
  vms: ForeignVms | undefined;
  /** Why no process can be given descriptors by a call that arrives over FUSE; told once. */
  noDescriptors = 'only what mdevfs run starts can be given descriptors';
  #told = false;

  /**
   * @param device `st_dev` of the mount that shows them
   * @throws Error of one line where no stub can be made
   */
  constructor(
    readonly machine: Machine,
    native: NativeCalls,
    readonly log: Log,
    device: bigint,
  ) {
    this.stubs = new Stubs(native);
    this.copies = new Copies(this.stubs, this.restarts);
    this.descriptors = new Descriptors(this.stubs, new PidfdCalls(native), device);
    this.signals = new EventfdSignals(native, this.stubs);
    this.memories = new ProcessMemories(this.copies);
    this.calls = new DeviceCalls(machine.core, machine.namespace);
  }

  open(node: KernfsNode, flags: number): OpenDeviceFile {
    this.vms?.sweep();
    if (node instanceof NamelessNode) return node.open();
    if (!(node instanceof DeviceNode)) throw new KernelError(Errno.ENXIO);
    return this.add(this.calls.open(node, flags));
  }

  isCovered(node: KernfsNode): boolean {
    return this.placeholders?.stands(node) ?? false;
  }

  isMappable(node: KernfsNode): boolean {
    if (node instanceof NamelessNode) return true;
    const major = this.machine.loader.exportsOf(vfioModule)?.deviceMajor;
    return node instanceof DeviceNode && node.devt.major === major;
  }

  find(name: string, thread: number): KernfsNode | undefined {
    return this.nameless?.find(name, thread);
  }

  refuseInstall(process: RemoteProcess): never {
    if (!this.#told) this.log(`mdevfs: process ${process.pid} gets no VFIO device: ${this.noDescriptors}`);
    this.#told = true;
    throw new KernelError(Errno.ENOTTY);
  }

  /** Has an open file, which may have no name, stand behind an open one of the mount. */
  add(file: OpenFile): DeviceFile {
    const opened = new DeviceFile(this, file);
    this.#open.add(opened);
    return opened;
  }

  remove(file: DeviceFile): void {
    this.#open.delete(file);
  }

  /** The number of the file that is mapped in place of a device. */
  backingOf(vdev: VfioDevice | undefined): number | undefined {
    return vdev && this.mapped?.backingOf(vdev);
  }

  backingOfFile(file: CharFile | undefined): number | undefined {
    return file instanceof VfioDeviceFile ? this.backingOf(file.vdev) : undefined;
  }

  /** How many files are open. */
  get size(): number {
    return this.#open.size;
  }
}

export class DeviceFile implements OpenDeviceFile {
  readonly backing: number | undefined;

  constructor(
    readonly files: DeviceFiles,
    readonly file: OpenFile,
  ) {
    this.backing = files.backingOfFile(file.device);
  }

  get device(): CharFile {
    return this.file.device!;
  }

  read(length: number, offset: number, thread: number): Sleeps<Uint8Array> {
    return this.files.calls.read(this.file, this.device, length, offset, this.#runs(thread, 'access'));
  }

  /** The bytes are the session's, and gone when it is done again. */
  write(bytes: Buffer, offset: number, thread: number): Sleeps<number> {
    return this.files.calls.write(
      this.file,
      this.device,
      Buffer.from(bytes),
      offset,
      this.#runs(thread, 'access'),
    );
  }

  ioctl(request: number, argument: bigint, thread: number): Sleeps<number> {
    if (this.files.descriptors.answers(this, request, thread)) return 0;
    return this.ioctlOf(new RemoteProcess(thread, this.files), request, argument);
  }

  ioctlOf(caller: RemoteProcess, request: number, argument: bigint): Sleeps<number> {
    const { calls } = this.files;
    const pointer = caller.pointer(argument);
    return andThen(
      () =>
        calls.ioctl(this.file, this.device, request, pointer, caller, this.#runs(caller.thread, 'request')),
      () => caller.end(),
    );
  }

  /** Calls of a thread that waits for them. */
  #runs(thread: number, kind: Repeated): Runs {
    return (call) => this.files.restarts.run(thread, kind, call);
  }

  poll(): number {
    return this.device.poll?.() ?? ALWAYS_READY;
  }

  release(): void {
    this.files.remove(this);
    this.device.put();
    this.files.vms?.sweep();
  }
}
