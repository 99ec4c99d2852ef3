/**
 * Device nodes (drivers/base/devtmpfs.c): a node appears below /dev with its device and goes with it. Directories
 * on the way are made and removed as needed. The file system is a tmpfs: the newest entry is listed first, and a
 * directory has 20 bytes for each entry, `.` and `..` included.
 * @module
 */

import { KernfsDir } from '../kernfs/dir.js';
import { NewestFirstDir } from '../kernfs/newest-first.js';
import { KernfsNode, type KernfsRoot, S_IFCHR } from '../kernfs/node.js';
import { kernfsCreateRoot } from '../kernfs/root.js';
import { type Devt, makedev } from './chrdev.js';

const BYTES_PER_ENTRY = 20;

class TmpfsDir extends NewestFirstDir {
  override get size(): number {
    return (this.names().length + 2) * BYTES_PER_ENTRY;
  }

  override addDir(name: string): KernfsDir {
    return this.add(new TmpfsDir(this.root, name));
  }
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

export class Devtmpfs {
  /** What is mounted at /dev. */
  readonly root: KernfsDir;

  constructor(now: () => number) {
    this.root = new TmpfsDir(kernfsCreateRoot(now).root, '');
  }

  /**
   * @param path below /dev, such as `vfio/7`
   * @param mode permission bits
   */
  createNode(path: string, devt: Devt, mode: number): void {
    const names = path.split('/');
    const name = names.pop()!;
    let dir = this.root;
    for (const part of names) dir = (dir.find(part) as KernfsDir | undefined) ?? dir.addDir(part);
    if (!dir.has(name)) dir.add(new DeviceNode(dir.root, name, devt, mode));
  }

  /** Removes the node, unless a user did or put another there, and directories that it leaves empty. */
  deleteNode(path: string, devt: Devt): void {
    const names = path.split('/');
    const name = names.pop()!;
    const above: KernfsDir[] = [this.root];
    for (const part of names) {
      const next = above.at(-1)!.find(part);
      if (!(next instanceof KernfsDir)) return;
      above.push(next);
    }
    const node = above.at(-1)!.find(name);
    if (node instanceof DeviceNode && node.rdev === makedev(devt)) above.at(-1)!.removeChild(name);
    for (let depth = above.length - 1; depth > 0 && above[depth]!.isEmpty; depth--) {
      above[depth - 1]!.removeChild(names[depth - 1]!);
    }
  }
}
