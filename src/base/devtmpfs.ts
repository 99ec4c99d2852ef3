/**
 * Device nodes (drivers/base/devtmpfs.c): a node appears below /dev with its device and goes with it. Directories
 * on the way are made and removed as needed. The file system is a tmpfs: the newest entry is listed first, and a
 * directory has 20 bytes for each entry, `.` and `..` included.
 * @module
 */

import { NewestFirstDir } from '../kernfs/newest-first.js';
import { KernfsNode, type KernfsRoot, S_IFCHR } from '../kernfs/node.js';
import { kernfsCreateRoot } from '../kernfs/root.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { Errno, KernelError } from '../lib/errno.js';
import { type Devt, makedev } from './chrdev.js';

const BYTES_PER_ENTRY = 20;
const DEFAULT_MODE = 0o600;

/** What a node stands for: a device that has a number. */
interface Numbered {
  readonly devt: Devt | undefined;
  readonly node: { mode: number | undefined } | undefined;
}

/** A character device node. */
export class DeviceNode extends KernfsNode {
  constructor(
    root: KernfsRoot,
    name: string,
    readonly devt: Devt,
    mode: number,
  ) {
    super(root, name, S_IFCHR | mode);
  }

  override get size(): number {
    return 0;
  }

  override get rdev(): number {
    return makedev(this.devt);
  }
}

class TmpfsDir extends NewestFirstDir {
  /** Directories and devices, in the order in which they came. */
  readonly entries = new Map<string, TmpfsDir | Numbered>();

  constructor(root: KernfsRoot, name: string) {
    super(root, name);
    this.addTemplate(new TmpfsEntries(this.entries));
  }

  override get size(): number {
    return (this.entries.size + 2) * BYTES_PER_ENTRY;
  }

  put(name: string, entry: TmpfsDir | Numbered): void {
    this.entries.set(name, entry);
    this.entryAdded(name);
  }

  override removeChild(name: string): void {
    if (!this.entries.delete(name)) throw new KernelError(Errno.ENOENT);
    this.entryRemoved(name);
  }
}

class TmpfsEntries implements KernfsTemplate {
  constructor(readonly entries: ReadonlyMap<string, TmpfsDir | Numbered>) {}

  names(): Iterable<string> {
    return this.entries.keys();
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  make(root: KernfsRoot, name: string): KernfsNode | undefined {
    const entry = this.entries.get(name);
    if (!entry || entry instanceof TmpfsDir) return entry;
    return new DeviceNode(root, name, entry.devt!, entry.node?.mode ?? DEFAULT_MODE);
  }

  directories(): number {
    return [...this.entries.values()].filter((entry) => entry instanceof TmpfsDir).length;
  }
}

export class Devtmpfs {
  /** What is mounted at /dev. */
  readonly root: TmpfsDir;

  constructor(now: () => number) {
    this.root = new TmpfsDir(kernfsCreateRoot(now).root, '');
  }

  /** @param path below /dev, such as `vfio/7` */
  createNode(path: string, device: Numbered): void {
    const names = path.split('/');
    const name = names.pop()!;
    let dir = this.root;
    for (const part of names) {
      let next = dir.entries.get(part);
      if (!(next instanceof TmpfsDir)) {
        next = new TmpfsDir(dir.root, part);
        dir.put(part, next);
      }
      dir = next;
    }
    if (!dir.entries.has(name)) dir.put(name, device);
  }

  /** Removes the node, unless a user did, and directories that it leaves empty. */
  deleteNode(path: string, device: Numbered): void {
    const names = path.split('/');
    const name = names.pop()!;
    const above = [this.root];
    for (const part of names) {
      const next = above.at(-1)!.entries.get(part);
      if (!(next instanceof TmpfsDir)) return;
      above.push(next);
    }
    if (above.at(-1)!.entries.get(name) === device) above.at(-1)!.removeChild(name);
    for (let depth = above.length - 1; depth > 0 && above[depth]!.entries.size === 0; depth--) {
      above[depth - 1]!.removeChild(names[depth - 1]!);
    }
  }
}
