/**
 * A kernfs node: what every directory, attribute and link has (include/linux/kernfs.h `struct kernfs_node`,
 * fs/kernfs/inode.c).
 *
 * Modelled: inode numbers that only grow, attributes that a user changed (mode, owner, times, extended
 * attributes) and keep until the node goes, times that begin when somebody first looks at the node, removal
 * as loss of the active reference. Not modelled: namespaces, and the wait for running operations at removal,
 * since an operation of the model that does not sleep cannot be running.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { KernfsDir } from './dir.js';
import type { FileFaults } from './fault.js';
import type { KernfsObserver } from './notify.js';
import { Xattrs } from './xattr.js';

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFCHR = 0o020000;

/** Times are milliseconds since the epoch, with a fraction. */
export interface Stat {
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  /** Device number of a character device, as makedev() packs it; 0 elsewhere. */
  rdev: number;
  size: number;
  atime: number;
  mtime: number;
  ctime: number;
}

/** What setattr may change; a missing field stays. */
export interface Iattr {
  mode?: number;
  uid?: number;
  gid?: number;
  size?: number;
  atime?: number;
  mtime?: number;
}

/** Largest file size of a superblock that sets no limit of its own (MAX_NON_LFS). */
export const MAX_NON_LFS = 0x7fffffff;

/** One tree of nodes: its clock, its inode numbers, and who watches it. */
export interface KernfsRoot {
  readonly observers: Set<KernfsObserver>;
  /** Faults of its files, while there are rules for any. */
  faults: FileFaults | undefined;
  /** Milliseconds since the epoch, with a fraction. */
  now(): number;
  nextIno(): number;
}

interface ChangedAttributes {
  uid: number;
  gid: number;
  atime: number;
  mtime: number;
  ctime: number;
  xattrs: Xattrs | undefined;
}

export abstract class KernfsNode {
  readonly ino: number;
  /** File type and permission bits. */
  mode: number;
  /** The directory that holds the node; undefined for a root and for a removed node. */
  parent: KernfsDir | undefined = undefined;
  private removed_ = false;
  private born_: number | undefined = undefined;
  private changed_: ChangedAttributes | undefined = undefined;

  constructor(
    readonly root: KernfsRoot,
    readonly name: string,
    mode: number,
  ) {
    this.ino = root.nextIno();
    this.mode = mode;
  }

  abstract readonly size: number;

  get nlink(): number {
    return 1;
  }

  get rdev(): number {
    return 0;
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  /** Whether the node has left the tree; what is still open on it then fails with ENODEV. */
  get removed(): boolean {
    return this.removed_;
  }

  /**
   * Takes an active reference (`kernfs_get_active`).
   * @throws ENODEV when the node was removed
   */
  assertActive(): void {
    if (this.removed_) throw new KernelError(Errno.ENODEV);
  }

  /** Marks the node as gone. Only its directory calls this, after it took the node out of its list. */
  deactivate(): void {
    this.removed_ = true;
    for (const observer of this.root.observers) observer.deactivated?.(this);
  }

  getattr(): Stat {
    this.born_ ??= this.root.now();
    const c = this.changed_;
    return {
      ino: this.ino,
      mode: this.mode,
      nlink: this.nlink,
      uid: c?.uid ?? 0,
      gid: c?.gid ?? 0,
      rdev: this.rdev,
      size: this.size,
      atime: c?.atime ?? this.born_,
      mtime: c?.mtime ?? this.born_,
      ctime: c?.ctime ?? this.born_,
    };
  }

  /**
   * Changes mode, owner or times, and keeps them. A new size is accepted and has no effect but new times.
   * @throws EFBIG when the size is beyond {@link MAX_NON_LFS} (inode_newsize_ok)
   */
  setattr(change: Iattr): void {
    if (change.size !== undefined && change.size > MAX_NON_LFS) throw new KernelError(Errno.EFBIG);
    const c = this.own_();
    const now = this.root.now();
    if (change.mode !== undefined) this.mode = this.type | (change.mode & 0o7777);
    if (change.uid !== undefined) c.uid = change.uid;
    if (change.gid !== undefined) c.gid = change.gid;
    if (change.atime !== undefined) c.atime = change.atime;
    if (change.mtime !== undefined) c.mtime = change.mtime;
    else if (change.size !== undefined) c.mtime = now;
    c.ctime = now;
    for (const observer of this.root.observers) observer.attributesChanged?.(this);
  }

  /** Extended attributes; an empty set until one is written. */
  get xattrs(): Xattrs {
    return this.changed_?.xattrs ?? Xattrs.none;
  }

  ownXattrs(): Xattrs {
    const c = this.own_();
    c.xattrs ??= new Xattrs();
    return c.xattrs;
  }

  private own_(): ChangedAttributes {
    if (!this.changed_) {
      const { uid, gid, atime, mtime, ctime } = this.getattr();
      this.changed_ = { uid, gid, atime, mtime, ctime, xattrs: undefined };
    }
    return this.changed_;
  }

  /** Path from the root of the tree, with a leading slash; `/` for the root itself. */
  get path(): string {
    const names: string[] = [];
    for (let node: KernfsNode = this; node.parent; node = node.parent) names.push(node.name);
    return `/${names.reverse().join('/')}`;
  }
}
