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
import { NumberedMap } from '../lib/numbered-map.js';
import { type Devt, makedev } from './chrdev.js';

const BYTES_PER_ENTRY = 20;
const DEFAULT_MODE = 0o600;

/** What a node stands for: a device that has a number. */
interface Numbered {
  readonly devt: Devt | undefined;
  readonly node: { readonly mode?: number } | undefined;
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
  readonly entries = new NumberedMap<TmpfsDir | Numbered>();
  subdirs = 0;
  /** For each entry a number that says when it came. */
  readonly #sequence = new NumberedMap<number>();
  #last = 0;

  constructor(root: KernfsRoot, name: string) {
    super(root, name);
    this.addTemplate(new TmpfsEntries(this));
  }

  override get size(): number {
    return (this.entries.size + 2) * BYTES_PER_ENTRY;
  }

  put(name: string, entry: TmpfsDir | Numbered): void {
    this.entries.set(name, entry);
    this.#sequence.set(name, ++this.#last);
    if (entry instanceof TmpfsDir) this.subdirs++;
    this.entryAdded(name);
  }

  /** The directory of that name; made if there is none. */
  makeDir(name: string): TmpfsDir {
    const found = this.entries.get(name);
    if (found instanceof TmpfsDir) return found;
    const made = new TmpfsDir(this.root, name);
    this.put(name, made);
    return made;
  }

  override removeChild(name: string): void {
    const entry = this.entries.get(name);
    if (!entry) throw new KernelError(Errno.ENOENT);
    this.entries.delete(name);
    this.#sequence.delete(name);
    if (entry instanceof TmpfsDir) this.subdirs--;
    this.entryRemoved(name);
  }

  protected override sequenceOf(name: string): number {
    return this.#sequence.get(name)!;
  }
}

class TmpfsEntries implements KernfsTemplate {
  constructor(readonly dir: TmpfsDir) {}

  names(): Iterable<string> {
    return this.dir.entries.keys();
  }

  has(name: string): boolean {
    return this.dir.entries.has(name);
  }

  make(root: KernfsRoot, name: string): KernfsNode | undefined {
    const entry = this.dir.entries.get(name);
    if (!entry || entry instanceof TmpfsDir) return entry;
    return new DeviceNode(root, name, entry.devt!, entry.node?.mode ?? DEFAULT_MODE);
  }

  directories(): number {
    return this.dir.subdirs;
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
    let dir = this.root;
    let from = 0;
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', from)) {
      dir = dir.makeDir(path.slice(from, slash));
      from = slash + 1;
    }
    const name = path.slice(from);
    if (!dir.entries.has(name)) dir.put(name, device);
  }

  /** Removes the node, unless a user did, and directories that it leaves empty. */
  deleteNode(path: string, device: Numbered): void {
    this.#deleteBelow(this.root, path, device);
  }

  /** @returns whether the directory of the node is there */
  #deleteBelow(dir: TmpfsDir, path: string, device: Numbered): boolean {
    const slash = path.indexOf('/');
    if (slash < 0) {
      if (dir.entries.get(path) === device) dir.removeChild(path);
      return true;
    }
    const name = path.slice(0, slash);
    const next = dir.entries.get(name);
    if (!(next instanceof TmpfsDir && this.#deleteBelow(next, path.slice(slash + 1), device))) return false;
    if (next.entries.size === 0) dir.removeChild(name);
    return true;
  }
}
