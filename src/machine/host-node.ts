/**
 * Raw nodes of a fixture: files with a fixed text, links by path, directories. They stand for what a real host has and
 * the emulation does not model.
 * @module
 */

import type { DriverCore } from '../base/core.js';
import { Kobject } from '../base/kobject.js';
import { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile, type KernfsFileOps, PAGE_SIZE } from '../kernfs/file.js';
import { KernfsLink } from '../kernfs/link.js';
import type { KernfsNode, KernfsRoot } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { RawNode, RawNodeEntry } from './fixture-node.js';
import { coverOps } from './host-cover.js';

/** Text with {KEY} places filled in. */
export type Fill = (text: string) => string;

/** A link to a path, whether or not there is something. */
export class PathLink extends KernfsLink {
  /** @param path below the mount of the tree, with a leading slash */
  constructor(
    root: KernfsRoot,
    name: string,
    readonly path_: string,
  ) {
    super(root, name, undefined as never);
  }

  override readlink(): string {
    if (!this.parent) throw new KernelError(Errno.ENOENT);
    const from = this.parent.path.split('/').slice(1);
    const to = this.path_.split('/').slice(1);
    let common = 0;
    while (common < from.length && common < to.length - 1 && from[common] === to[common]) common++;
    return '../'.repeat(from.length - common) + to.slice(common).join('/');
  }
}

/** The path below the mount: what follows /sys. */
export const belowSys = (path: string) => path.slice('/sys'.length);

/** A raw directory that announces itself. */
class RawKobject extends Kobject {
  constructor(
    readonly core: DriverCore,
    readonly name: string,
    readonly subsystem: string,
  ) {
    super();
  }
}

const modeOf = (mode: string | undefined, otherwise: number) =>
  mode === undefined ? otherwise : Number.parseInt(mode, 8);

function fileOps(node: RawNode, mode: number, fill: Fill): KernfsFileOps {
  let text = fill(node.content ?? '');
  const bytes = node.hex === undefined ? undefined : Buffer.from(node.hex, 'hex');
  const error = node.readError === undefined ? undefined : Errno[node.readError];
  const show = () => {
    if (error !== undefined) throw new KernelError(error);
    return text;
  };
  const store = (data: Uint8Array) => {
    text = Buffer.from(data).toString('latin1');
    return data.length;
  };
  return {
    size: node.size ?? bytes?.length ?? PAGE_SIZE,
    ...(mode & 0o444 &&
      (bytes ? { read: (offset, length) => bytes.subarray(offset, offset + length) } : { show })),
    ...(mode & 0o222 && { store }),
  };
}

/** Raw nodes that came together and go together. */
export class RawNodes {
  readonly #added: { dir: KernfsDir; name: string }[] = [];
  readonly #kobjects: RawKobject[] = [];

  /**
   * @param fill what texts are changed to
   * @param replaces whether they take the place of what is there
   */
  constructor(
    readonly core: DriverCore,
    readonly fill: Fill = (text) => text,
    readonly replaces = false,
  ) {}

  /**
   * Adds nodes by name to a directory, or by path to the tree.
   * @param dir asked for when a name needs it
   */
  addAll(dir: () => KernfsDir, nodes: Record<string, RawNodeEntry>): this {
    for (const [key, node] of Object.entries(nodes)) {
      const name = this.fill(key);
      if (name.startsWith('/sys/')) this.addPath(belowSys(name), node);
      else this.#add(dir(), name, node, true);
    }
    return this;
  }

  /** Adds a node by its path below the mount. Directories on the way are made, and stay. */
  addPath(path: string, node: RawNodeEntry): void {
    const names = path.split('/').slice(1);
    const name = names.pop()!;
    let dir = this.core.sysfs;
    for (const part of names) {
      const next = dir.find(part) ?? dir.addDir(part);
      if (!(next instanceof KernfsDir)) throw new KernelError(Errno.ENOTDIR);
      dir = next;
    }
    this.#add(dir, name, node, true);
  }

  #add(dir: KernfsDir, name: string, described: RawNodeEntry, outermost: boolean): void {
    if (described === null) {
      takeAway(dir, name);
      return;
    }
    const node = typeof described === 'string' ? { content: described } : described;
    const existing = dir.find(name);
    if (existing instanceof KernfsDir && isDirectory(node)) {
      if (this.replaces && node.mode !== undefined) existing.mode = existing.type | modeOf(node.mode, 0);
      this.#fillDir(existing, node, outermost);
      return;
    }
    if (existing && this.replaces) {
      this.#replace(dir, existing, node);
      return;
    }
    // What stands below a node that goes anyway need not be remembered, but for those that announce it.
    if (outermost && node.subsystem === undefined) this.#added.push({ dir, name });
    if (node.target !== undefined) dir.add(new PathLink(dir.root, name, belowSys(this.fill(node.target))));
    else if (!isDirectory(node)) {
      const mode = modeOf(node.mode, 0o444);
      dir.add(new KernfsFile(dir.root, name, mode, fileOps(node, mode, this.fill)));
    } else this.#fillDir(this.#makeDir(dir, name, node), node, false);
  }

  #replace(dir: KernfsDir, existing: KernfsNode, node: RawNode): void {
    const { name } = existing;
    if (existing instanceof KernfsDir) {
      takeAway(dir, name);
      this.#add(dir, name, node, true);
      return;
    }
    if (node.target !== undefined) dir.cover(new PathLink(dir.root, name, belowSys(this.fill(node.target))));
    else if (isDirectory(node)) {
      takeAway(dir, name);
      this.#fillDir(this.#makeDir(dir, name, node), node, false);
    } else {
      const mode = modeOf(node.mode, existing instanceof KernfsFile ? existing.mode & 0o7777 : 0o444);
      const isSame = node.content === undefined && node.hex === undefined && node.readError === undefined;
      if (existing instanceof KernfsFile && isSame && node.size === undefined) {
        existing.mode = existing.type | mode;
        return;
      }
      const ops = fileOps(node, mode, this.fill);
      const covering = existing instanceof KernfsFile ? coverOps(name, node, ops, existing.ops) : ops;
      dir.cover(new KernfsFile(dir.root, name, mode, covering));
    }
    this.#added.push({ dir, name });
  }

  #makeDir(dir: KernfsDir, name: string, node: RawNode): KernfsDir {
    if (node.subsystem === undefined) return dir.addDir(name, undefined, modeOf(node.mode, 0o755));
    const kobject = new RawKobject(this.core, name, node.subsystem);
    this.#kobjects.push(kobject);
    kobject.kobjectAdd(dir);
    return kobject.dir;
  }

  #fillDir(dir: KernfsDir, node: RawNode, outermost: boolean): void {
    for (const [name, entry] of Object.entries(node.entries ?? {})) {
      this.#add(dir, this.fill(name), entry, outermost);
    }
    if (dir.owner instanceof RawKobject) dir.owner.uevent('add');
  }

  /** Takes them out again, the last one first. */
  remove(): void {
    for (const kobject of this.#kobjects.splice(0).reverse()) kobject.kobjectDel();
    for (const { dir, name } of this.#added.splice(0).reverse()) if (dir.has(name)) dir.removeChild(name);
  }
}

/** @throws ENOENT when there is no such entry */
function takeAway(dir: KernfsDir, name: string): void {
  if (dir.isFromTemplate(name)) dir.hide(name);
  else dir.removeChild(name);
}

function isDirectory(node: RawNode): boolean {
  return (
    node.target === undefined &&
    node.content === undefined &&
    node.hex === undefined &&
    node.readError === undefined &&
    (node.entries !== undefined || node.subsystem !== undefined || node.mode === undefined)
  );
}
