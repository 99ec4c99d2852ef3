/**
 * The character devices of a machine for processes of the real one: what a session asks for (fuse/char-device.ts), done
 * by the same system calls on open devices that emulated processes use.
 * @module
 */

import type { CharFile } from '../base/file.js';
import { DeviceNode } from '../base/devtmpfs.js';
import type { CharDevices, OpenDeviceFile } from '../fuse/char-device.js';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../kernfs/file.js';
import { KernfsNode } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import { andThen, type Sleeps } from '../lib/sleep.js';
import { DeviceCalls } from '../machine/device-calls.js';
import { vfioModule } from '../vfio/core.js';
import type { VfioDevice } from '../vfio/device.js';
import { VfioDeviceFile } from '../vfio/device-file.js';
import type { Log } from '../fuse/transport.js';
import type { Machine } from '../machine/machine.js';
import type { OpenFile } from '../machine/open-file.js';
import type { ForeignVms } from './foreign-vms.js';
import type { NativeCalls } from './native.js';
import { PidfdCalls } from './pidfd.js';
import type { Placeholders } from './placeholders.js';
import { ProcessVm } from './process-vm.js';
import { ProcessMemories, RemoteProcess, type Remotes } from './remote-process.js';

const ALWAYS_READY = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

/** Memory of devices that the kernel can map for processes. */
export interface MappedFiles {
  /** The number of the file behind an open device; undefined for one that has nothing to be mapped. */
  backingOf(vdev: VfioDevice): number | undefined;
}

/** A node that is not in the tree. */
export abstract class NamelessNode extends KernfsNode {
  abstract open(nodeid: number): OpenDeviceFile;
}

/** Finds those. */
export type NamelessNodes = Required<Pick<CharDevices, 'find'>>;

export class DeviceFiles implements CharDevices, Remotes {
  readonly vm: ProcessVm;
  readonly pidfds: PidfdCalls;
  readonly write: NativeCalls['direct']['write'];
  readonly memories = new ProcessMemories();
  readonly calls: DeviceCalls;
  /** Open files by the number of their inode; who opened one that has a name may open it in another way, too. */
  readonly #open = new Map<number, Set<DeviceFile>>();
  mapped: MappedFiles | undefined;
  nameless: NamelessNodes | undefined;
  placeholders: Placeholders | undefined;
  vms: ForeignVms | undefined;
  /** Why no process can be given descriptors by a call that arrives over FUSE; told once. */
  noDescriptors = 'only what mdevfs run starts can be given descriptors';
  #told = false;

  constructor(
    readonly machine: Machine,
    native: NativeCalls,
    readonly log: Log,
  ) {
    this.vm = new ProcessVm(native);
    this.pidfds = new PidfdCalls(native);
    this.write = native.direct.write;
    this.calls = new DeviceCalls(machine.core, machine.namespace);
  }

  open(node: KernfsNode, flags: number, nodeid: number): OpenDeviceFile {
    this.vms?.sweep();
    if (node instanceof NamelessNode) return node.open(nodeid);
    if (!(node instanceof DeviceNode)) throw new KernelError(Errno.ENXIO);
    return this.add(this.calls.open(node, flags), nodeid);
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

  /** Has an open file, which may have no name, stand behind an inode. */
  add(file: OpenFile, nodeid: number): DeviceFile {
    const opened = new DeviceFile(this, file, nodeid);
    const others = this.#open.get(nodeid);
    if (others) others.add(opened);
    else this.#open.set(nodeid, new Set([opened]));
    return opened;
  }

  remove(file: DeviceFile): void {
    const others = this.#open.get(file.nodeid);
    others?.delete(file);
    if (others?.size === 0) this.#open.delete(file.nodeid);
  }

  /** The number of the file that is mapped in place of a device. */
  backingOf(vdev: VfioDevice | undefined): number | undefined {
    return vdev && this.mapped?.backingOf(vdev);
  }

  backingOfFile(file: CharFile | undefined): number | undefined {
    return file instanceof VfioDeviceFile ? this.backingOf(file.vdev) : undefined;
  }

  /** The open file of this mount behind a descriptor. @throws EBADF */
  ofDescriptor(process: RemoteProcess, fd: number): DeviceFile | undefined {
    const { ino, link } = process.describe(fd);
    return link.startsWith('/') ? this.opened(ino) : undefined;
  }

  /** Of several files that share an inode, since it was opened in another way than by its name, the last one. */
  fileOf(ino: number): CharFile | undefined {
    return this.opened(ino)?.device;
  }

  /** How many inodes are open. */
  get size(): number {
    return this.#open.size;
  }

  opened(ino: number): DeviceFile | undefined {
    return [...(this.#open.get(ino) ?? [])].pop();
  }
}

export class DeviceFile implements OpenDeviceFile {
  readonly backing: number | undefined;

  constructor(
    readonly files: DeviceFiles,
    readonly file: OpenFile,
    readonly nodeid: number,
  ) {
    this.backing = files.backingOfFile(file.device);
  }

  get device(): CharFile {
    return this.file.device!;
  }

  read(length: number, offset: number): Uint8Array {
    return this.files.calls.read(this.file, this.device, length, offset);
  }

  write(bytes: Buffer, offset: number): Sleeps<number> {
    return this.files.calls.write(this.file, this.device, bytes, offset);
  }

  ioctl(request: number, argument: bigint, thread: number): Sleeps<number> {
    return this.ioctlOf(new RemoteProcess(thread, this.files), request, argument);
  }

  ioctlOf(caller: RemoteProcess, request: number, argument: bigint): Sleeps<number> {
    return andThen(
      () => this.files.calls.ioctl(this.file, this.device, request, caller.pointer(argument), caller),
      () => caller.end(),
    );
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
