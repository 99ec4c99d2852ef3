/**
 * System calls of an emulated process that take a path: what a path leads to, and its attributes (fs/stat.c, fs/attr.c,
 * fs/xattr.c). Those that make or remove entries are in directory-calls.ts.
 * @module
 */

import { isDir } from '../kernfs/dir.js';
import { FIRST_HASH } from '../kernfs/hash.js';
import { KernfsLink } from '../kernfs/link.js';
import { type KernfsNode, S_IFMT, S_IFREG, type Stat } from '../kernfs/node.js';
import { Xattrs } from '../kernfs/xattr.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { Namespace } from './namei.js';
import { assertOwner, type Credentials, inodePermission, MAY_READ, MAY_WRITE } from './permission.js';

/** @throws EPERM for who does not own the node */
export function chmodCommon(node: KernfsNode, mode: number, credentials: Credentials): void {
  assertOwner(node, credentials);
  node.setattr({ mode });
}

export class PathCalls {
  constructor(
    readonly namespace: Namespace,
    readonly credentials: Credentials,
  ) {}

  exists(path: string): boolean {
    try {
      this.stat(path);
      return true;
    } catch {
      return false;
    }
  }

  /** Names in a directory, without `.` and `..`. */
  list(path: string): string[] {
    const node = this.#lookup(path);
    if (!isDir(node)) throw new KernelError(Errno.ENOTDIR);
    return [...node.entriesFrom(FIRST_HASH)].map(({ name }) => name);
  }

  stat(path: string): Stat {
    return this.#lookup(path).getattr();
  }

  lstat(path: string): Stat {
    return this.#lookup(path, false).getattr();
  }

  /** @throws EINVAL for anything but a link */
  readlink(path: string): string {
    const node = this.#lookup(path, false);
    if (!(node instanceof KernfsLink)) throw new KernelError(Errno.EINVAL);
    return node.readlink();
  }

  realpath(path: string): string {
    return this.namespace.pathOf(this.#lookup(path));
  }

  /** @param mask an or of R_OK 4, W_OK 2, X_OK 1; 0 asks only whether the path is there */
  access(path: string, mask: number): void {
    const node = this.#lookup(path);
    if (mask !== 0) inodePermission(node, mask, this.credentials);
  }

  chmod(path: string, mode: number): void {
    chmodCommon(this.#lookup(path), mode, this.credentials);
  }

  chown(path: string, uid: number, gid: number, follow = true): void {
    const node = this.#lookup(path, follow);
    if (this.credentials.uid !== 0) throw new KernelError(Errno.EPERM);
    node.setattr({ uid, gid });
  }

  /** @param atime, mtime in milliseconds since the epoch */
  utimes(path: string, atime: number, mtime: number, follow = true): void {
    const node = this.#lookup(path, follow);
    assertOwner(node, this.credentials);
    node.setattr({ atime, mtime });
  }

  /** @throws EISDIR, EINVAL for what has no size; EACCES without write permission; EFBIG */
  truncate(path: string, length: number): void {
    const node = this.#lookup(path);
    if (isDir(node)) throw new KernelError(Errno.EISDIR);
    if ((node.mode & S_IFMT) !== S_IFREG) throw new KernelError(Errno.EINVAL);
    inodePermission(node, MAY_WRITE, this.credentials);
    node.setattr({ size: length });
  }

  getxattr(path: string, name: string, follow = true): Uint8Array {
    const node = this.#lookup(path, follow);
    if (name.startsWith('user.')) inodePermission(node, MAY_READ, this.credentials);
    return node.xattrs.get(name);
  }

  setxattr(path: string, name: string, value: Uint8Array, flags = 0, follow = true): void {
    const node = this.#lookup(path, follow);
    if (this.credentials.uid !== 0) throw new KernelError(Errno.EPERM);
    // Capabilities and access lists have a format, which is checked before the file system is asked.
    if (name === 'security.capability' || name.startsWith('system.posix_acl_')) {
      throw new KernelError(Errno.EINVAL);
    }
    Xattrs.assertSettable(name);
    node.ownXattrs().set(name, value, flags);
  }

  listxattr(path: string, follow = true): string[] {
    return this.#lookup(path, follow).xattrs.list();
  }

  removexattr(path: string, name: string, follow = true): void {
    const node = this.#lookup(path, follow);
    if (this.credentials.uid !== 0) throw new KernelError(Errno.EPERM);
    node.xattrs.remove(name);
  }

  /** What statx(2) tells beyond stat: whether the path is the root of a mount. */
  isMountRoot(path: string): boolean {
    return this.namespace.isMountRoot(this.#lookup(path));
  }

  /** Magic number of the file system that a path is in (statfs). */
  fsMagic(path: string): number {
    return this.namespace.magicOf(this.#lookup(path));
  }

  #lookup(path: string, follow = true): KernfsNode {
    return this.namespace.lookup(path, this.credentials, follow);
  }
}
