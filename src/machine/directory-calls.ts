/**
 * System calls that change directories, as sysfs answers them: nothing can be made, moved or deleted by hand, and which
 * errno says so depends on what the generic code checks first (fs/namei.c `filename_create`, `may_delete`,
 * `do_renameat2`).
 * @module
 */

import { isDir, type KernfsDir } from '../kernfs/dir.js';
import { type KernfsNode, S_IFMT, S_IFREG } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { LastComponent, Namespace } from './namei.js';
import { type Credentials, inodePermission, MAY_EXEC, MAY_WRITE } from './permission.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

const isSpecial = (name: string) => name === '' || name === '.' || name === '..';

/** Checks what precedes the making of any entry. */
function mayCreate(last: LastComponent, credentials: Credentials, asDirectory: boolean): void {
  const { dir, name, trailingSlash } = last;
  if (isSpecial(name)) fail(Errno.EEXIST);
  inodePermission(dir, MAY_EXEC, credentials);
  if (dir.has(name)) fail(Errno.EEXIST);
  if (trailingSlash && !asDirectory) fail(Errno.ENOENT);
  if (dir.removed) fail(Errno.ENOENT);
  inodePermission(dir, MAY_WRITE | MAY_EXEC, credentials);
}

function mayDelete(dir: KernfsDir, node: KernfsNode, asDirectory: boolean, credentials: Credentials): void {
  inodePermission(dir, MAY_WRITE | MAY_EXEC, credentials);
  if (asDirectory && !isDir(node)) fail(Errno.ENOTDIR);
  if (!asDirectory && isDir(node)) fail(Errno.EISDIR);
}

export class DirectoryCalls {
  constructor(
    readonly namespace: Namespace,
    readonly credentials: Credentials,
  ) {}

  #last(path: string, start?: KernfsDir): LastComponent {
    return this.namespace.parentOf(path, this.credentials, start);
  }

  mkdir(path: string, start?: KernfsDir): never {
    mayCreate(this.#last(path, start), this.credentials, true);
    return fail(Errno.EPERM);
  }

  /** Regular files fail as creat does, other kinds as what no file system operation exists for. */
  mknod(path: string, mode: number): never {
    mayCreate(this.#last(path), this.credentials, false);
    const type = mode & S_IFMT;
    return fail(type === S_IFREG || type === 0 ? Errno.EACCES : Errno.EPERM);
  }

  symlink(target: string, path: string): never {
    if (target === '') fail(Errno.ENOENT);
    mayCreate(this.#last(path), this.credentials, false);
    return fail(Errno.EPERM);
  }

  link(from: string, to: string): never {
    const node = this.namespace.lookup(from, this.credentials, false);
    const last = this.#last(to);
    if (isSpecial(last.name) || last.dir.has(last.name)) fail(Errno.EEXIST);
    if (last.dir.root !== node.root) fail(Errno.EXDEV);
    mayCreate(last, this.credentials, false);
    return fail(Errno.EPERM);
  }

  /** Removes a device node; nothing of sysfs. */
  unlink(path: string): void {
    const { dir, name, trailingSlash } = this.#last(path);
    if (isSpecial(name)) fail(Errno.EISDIR);
    const node = this.namespace.step(dir, name, this.credentials);
    if (trailingSlash) fail(isDir(node) ? Errno.EISDIR : Errno.ENOTDIR);
    mayDelete(dir, node, false, this.credentials);
    if (!this.namespace.allowsUnlink(dir)) fail(Errno.EPERM);
    dir.removeChild(name);
  }

  rmdir(path: string): never {
    const { dir, name } = this.#last(path);
    if (name === '..') fail(Errno.ENOTEMPTY);
    if (name === '.') fail(Errno.EINVAL);
    if (name === '') fail(Errno.EBUSY);
    mayDelete(dir, this.namespace.step(dir, name, this.credentials), true, this.credentials);
    return fail(Errno.EPERM);
  }

  rename(from: string, to: string): void {
    const old = this.#last(from);
    const next = this.#last(to);
    if (old.dir.root !== next.dir.root) fail(Errno.EXDEV);
    if (isSpecial(old.name) || isSpecial(next.name)) fail(Errno.EBUSY);
    const source = this.namespace.step(old.dir, old.name, this.credentials);
    const target = next.dir.find(next.name);
    if (!isDir(source) && (old.trailingSlash || next.trailingSlash)) fail(Errno.ENOTDIR);
    if (isAncestor(source, next.dir)) fail(Errno.EINVAL);
    if (target && isAncestor(target, old.dir)) fail(Errno.ENOTEMPTY);
    if (source === target) return;
    mayDelete(old.dir, source, isDir(source), this.credentials);
    if (target) mayDelete(next.dir, target, isDir(source), this.credentials);
    else inodePermission(next.dir, MAY_WRITE | MAY_EXEC, this.credentials);
    fail(Errno.EPERM);
  }
}

/** Whether `node` is `dir` or above it. */
function isAncestor(node: KernfsNode, dir: KernfsDir): boolean {
  for (let at: KernfsDir | undefined = dir; at; at = at.parent) if (at === node) return true;
  return false;
}
