/**
 * Nodes that stand for what the machine's own sysfs has. Attributes, entries, link texts and contents are the real
 * ones at the time somebody asks.
 *
 * Reads are done at once, as sysfs answers them from memory. Writes go to a thread, since some take long: `bind` of a
 * driver, `rescan` of a bus.
 * @module
 */

import {
  chmodSync,
  closeSync,
  constants,
  lchownSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
  write,
} from 'node:fs';
import { type DirEntry, hashOrder, KernfsDir, listedFrom } from '../kernfs/dir.js';
import { KernfsFile, KernfsOpenFile, O_ACCMODE } from '../kernfs/file.js';
import { KernfsLink } from '../kernfs/link.js';
import type { Iattr, KernfsNode, KernfsRoot, Stat } from '../kernfs/node.js';
import type { Sleeps } from '../lib/sleep.js';
import type { RealTree } from './real-tree.js';
import { asKernelError, onMachine } from './real-tree-errno.js';

/** Attributes of a node, as they are now. @throws ENOENT when it is gone */
function statOf(node: KernfsNode, path: string): Stat {
  const { mode, nlink, uid, gid, size, atimeMs, mtimeMs, ctimeMs } = onMachine(() => lstatSync(path));
  const { ino } = node;
  return { ino, mode, nlink, uid, gid, rdev: 0, size, atime: atimeMs, mtime: mtimeMs, ctime: ctimeMs };
}

/** Changes mode and owner. A size has no meaning in sysfs, and times are nobody's business. */
function change(path: string, { mode, uid, gid }: Iattr): void {
  onMachine(() => {
    if (mode !== undefined) chmodSync(path, mode & 0o7777);
    if (uid !== undefined || gid !== undefined) {
      const now = lstatSync(path);
      lchownSync(path, uid ?? now.uid, gid ?? now.gid);
    }
  });
}

export class RealDir extends KernfsDir {
  /** @param path below the base of the real tree */
  constructor(
    readonly tree: RealTree,
    name: string,
    readonly path_: string,
  ) {
    super(tree.root, name);
  }

  override getattr(): Stat {
    return statOf(this, this.tree.base + this.path_);
  }

  override setattr(to: Iattr): void {
    change(this.tree.base + this.path_, to);
  }

  override find(name: string): KernfsNode | undefined {
    return this.tree.find(this, `${this.path_}/${name}`);
  }

  override has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  override names(): readonly string[] {
    return onMachine(() => readdirSync(this.tree.base + this.path_));
  }

  override *entriesFrom(offset: number): Generator<DirEntry> {
    yield* listedFrom(hashOrder(this.names()), offset);
  }

  override get firstOffset(): number {
    return hashOrder(this.names()).offsets[0] ?? super.firstOffset;
  }
}

export class RealLink extends KernfsLink {
  /** @param path_ in the real file system */
  constructor(
    root: KernfsRoot,
    name: string,
    readonly path_: string,
  ) {
    super(root, name, undefined as never);
  }

  override getattr(): Stat {
    return statOf(this, this.path_);
  }

  override setattr(to: Iattr): void {
    change(this.path_, to);
  }

  override readlink(): string {
    return onMachine(() => readlinkSync(this.path_));
  }
}

export class RealFile extends KernfsFile {
  /** @param path_ in the real file system */
  constructor(
    root: KernfsRoot,
    name: string,
    readonly path_: string,
    { mode, size }: Stats,
  ) {
    super(root, name, mode & 0o7777, { size });
  }

  override getattr(): Stat {
    return statOf(this, this.path_);
  }

  override setattr(to: Iattr): void {
    change(this.path_, to);
  }

  /** Opens the real file. @throws what the machine says */
  override open(flags: number): KernfsOpenFile {
    const access = flags & (O_ACCMODE | constants.O_APPEND);
    return new RealOpenFile(
      this,
      onMachine(() => openSync(this.path_, access)),
    );
  }
}

class RealOpenFile extends KernfsOpenFile {
  constructor(
    file: RealFile,
    readonly fd: number,
  ) {
    super(file);
  }

  override read(offset: number, length: number): Uint8Array {
    const data = Buffer.allocUnsafe(length);
    return data.subarray(
      0,
      onMachine(() => readSync(this.fd, data, 0, length, offset)),
    );
  }

  override write(data: Uint8Array, offset = 0): Sleeps<number> {
    return new Promise((resolve, reject) => {
      write(this.fd, data, 0, data.length, offset, (error, count) => {
        if (error) reject(asKernelError(error));
        else resolve(count);
      });
    });
  }

  override release(): void {
    closeSync(this.fd);
  }
}
