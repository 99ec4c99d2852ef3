/**
 * Open files of the device mount that have no name: a descriptor that a process gets by an ioctl, such as that of a VFIO
 * device, is one. Another process opens it (file-opener.ts) and the descriptor is taken out of it. At that time it stands
 * for nothing; what it stands for is said when the model hands the file out.
 * @module
 */

import type { CharFile } from '../base/file.js';
import type { OpenDeviceFile } from '../fuse/char-device.js';
import { type KernfsNode, type KernfsRoot, S_IFCHR } from '../kernfs/node.js';
import { kernfsCreateRoot } from '../kernfs/root.js';
import { Errno, KernelError } from '../lib/errno.js';
import { OpenFile } from '../machine/open-file.js';
import { type DeviceFiles, NamelessNode } from './device-files.js';
import type { FileOpener } from './file-opener.js';

const O_RDWR = 2;

/** A file that is open and stands for nothing yet. */
export interface SpareFile {
  /** Ours to close. */
  readonly fd: number;
  /** Says what it stands for, from now on; takes a reference. */
  become(file: CharFile): void;
}

/** The node that a spare file is opened by. */
class SpareNode extends NamelessNode {
  readonly size = 0;
  /** The open file, once there is one. */
  slot: Slot | undefined;

  constructor(
    root: KernfsRoot,
    name: string,
    readonly files: DeviceFiles,
    readonly backing: number | undefined,
  ) {
    super(root, name, S_IFCHR | 0o600);
  }

  open(): OpenDeviceFile {
    this.slot = new Slot(this);
    return this.slot;
  }
}

/** What is behind the open file: nothing, and later what it became. */
class Slot implements OpenDeviceFile {
  #file: OpenDeviceFile | undefined;

  constructor(readonly node: SpareNode) {}

  become(file: CharFile): void {
    const { node } = this;
    this.#file = node.files.add(new OpenFile(node, O_RDWR, undefined, file.get()));
  }

  get #opened(): OpenDeviceFile {
    if (!this.#file) throw new KernelError(Errno.EBADF);
    return this.#file;
  }

  get backing(): number | undefined {
    return this.node.backing;
  }

  read: OpenDeviceFile['read'] = (length, offset, thread) =>
    this.#file ? this.#file.read(length, offset, thread) : Buffer.alloc(0);

  write: OpenDeviceFile['write'] = (bytes, offset, thread) => this.#opened.write(bytes, offset, thread);
  ioctl: OpenDeviceFile['ioctl'] = (request, argument, thread) =>
    this.#opened.ioctl(request, argument, thread);
  poll: OpenDeviceFile['poll'] = () => this.#opened.poll();

  release(): void {
    this.#file?.release();
  }
}

export class SpareFiles {
  readonly #root = kernfsCreateRoot(() => performance.timeOrigin + performance.now()).root;
  readonly #waiting = new Map<string, SpareNode>();

  constructor(
    readonly files: DeviceFiles,
    readonly opener: FileOpener,
  ) {}

  /** Only the process that opens them finds them. */
  find(name: string, thread: number): KernfsNode | undefined {
    return thread === this.opener.pid ? this.#waiting.get(name) : undefined;
  }

  /**
   * @param backing number of the file that is mapped by whoever maps it
   * @throws KernelError ENFILE when it cannot be had
   */
  async open(backing?: number): Promise<SpareFile> {
    const name = this.#freeName();
    const node = new SpareNode(this.#root, name, this.files, backing);
    this.#waiting.set(name, node);
    try {
      const fd = await this.opener.open(name);
      return { fd, become: (file) => node.slot!.become(file) };
    } catch {
      throw new KernelError(Errno.ENFILE);
    } finally {
      this.#waiting.delete(name);
    }
  }
  /**
   * The kernel keeps a name and the file that it led to, also when both are of no use to anybody, until it finds the name
   * to lead elsewhere. So names are used again, and there are no more of them than are opened at one time.
   */
  #freeName(): string {
    let number = 0;
    while (this.#waiting.has(`spare-${number}`)) number++;
    return `spare-${number}`;
  }
}
