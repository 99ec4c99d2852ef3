/**
 * Path lookup (fs/namei.c) over the trees of a machine: sysfs at /sys, device nodes at /dev. What the kernel does for
 * every file system before the file system is asked: mounts, `.` and `..`, links, search permission.
 * @module
 */

import { isDir, type KernfsDir } from '../kernfs/dir.js';
import { KernfsLink } from '../kernfs/link.js';
import type { KernfsNode, KernfsRoot } from '../kernfs/node.js';
import { kernfsCreateRoot } from '../kernfs/root.js';
import { Errno, KernelError } from '../lib/errno.js';
import { type Credentials, inodePermission, MAY_EXEC } from './permission.js';

const MAXSYMLINKS = 40;

/** Where the last component of a path is to be found: the directory and the name in it. */
export interface LastComponent {
  dir: KernfsDir;
  /** The name, or `.` or `..`; empty for the root directory itself. */
  name: string;
  trailingSlash: boolean;
}

export class Namespace {
  readonly #rootfs: KernfsDir;
  readonly #mounted = new Map<KernfsNode, KernfsDir>();
  readonly #mountpoints = new Map<KernfsNode, KernfsDir>();

  readonly #writable = new Set<KernfsRoot>();
  readonly #magic = new Map<KernfsNode, number>();

  constructor(now: () => number) {
    this.#rootfs = kernfsCreateRoot(now);
  }

  /**
   * Mounts a tree on a directory of the root file system, which is made for it.
   * @param magic number by which statfs tells the kind of file system
   * @param writable whether entries can be deleted by hand
   */
  mount(name: string, root: KernfsDir, magic: number, writable = false): void {
    this.setMagic(root, magic);
    if (writable) this.#writable.add(root.root);
    const mountpoint = this.#rootfs.addDir(name);
    this.#mounted.set(mountpoint, root);
    this.#mountpoints.set(root, mountpoint);
  }

  /**
   * Walks to the directory that holds the last component.
   * @param start directory that a relative path begins in
   * @throws ENOENT, ENOTDIR, EACCES, ELOOP
   */
  parentOf(path: string, credentials: Credentials, start = this.#rootfs, depth = 0): LastComponent {
    if (path === '') throw new KernelError(Errno.ENOENT);
    const names = path.split('/').filter((name) => name !== '');
    let dir = path.startsWith('/') ? this.#rootfs : start;
    const last = names.pop() ?? '';
    for (const name of names) {
      const node = this.#follow(dir, this.step(dir, name, credentials), credentials, depth);
      if (!isDir(node)) throw new KernelError(Errno.ENOTDIR);
      dir = node;
    }
    return { dir, name: last, trailingSlash: path.endsWith('/') && last !== '' };
  }

  /** One component: a directory's entry, or itself, or the one above. */
  step(dir: KernfsDir, name: string, credentials: Credentials): KernfsNode {
    inodePermission(dir, MAY_EXEC, credentials);
    if (name === '' || name === '.') return dir;
    if (name === '..') return this.above(dir);
    const node = dir.lookup(name);
    return this.#mounted.get(node) ?? node;
  }

  above(dir: KernfsDir): KernfsDir {
    const at = this.#mountpoints.get(dir) ?? dir;
    return at.parent ?? (at.removed ? at : this.#rootfs);
  }

  /**
   * Finds what a path names.
   * @param follow whether a link in last place is followed
   */
  lookup(path: string, credentials: Credentials, follow: boolean, start?: KernfsDir, depth = 0): KernfsNode {
    const { dir, name, trailingSlash } = this.parentOf(path, credentials, start, depth);
    let node = this.step(dir, name, credentials);
    if (follow || trailingSlash) node = this.#follow(dir, node, credentials, depth);
    if (trailingSlash && !isDir(node)) throw new KernelError(Errno.ENOTDIR);
    return node;
  }

  #follow(dir: KernfsDir, node: KernfsNode, credentials: Credentials, depth: number): KernfsNode {
    if (!(node instanceof KernfsLink)) return node;
    if (depth >= MAXSYMLINKS) throw new KernelError(Errno.ELOOP);
    return this.lookup(node.readlink(), credentials, true, dir, depth + 1);
  }

  isMountRoot(node: KernfsNode): boolean {
    return this.#mountpoints.has(node);
  }

  /** Says of which kind the file system is that begins at a directory. */
  setMagic(root: KernfsDir, magic: number): void {
    this.#magic.set(root, magic);
  }

  magicOf(node: KernfsNode): number {
    for (let at: KernfsNode | undefined = node; at; at = at.parent) {
      const magic = this.#magic.get(at);
      if (magic !== undefined) return magic;
    }
    return 0;
  }

  /** Whether the file system of a directory lets users delete entries. */
  allowsUnlink(dir: KernfsDir): boolean {
    return this.#writable.has(dir.root);
  }

  /** Absolute path of a node, through the mounts. */
  pathOf(node: KernfsNode): string {
    const names: string[] = [];
    let at: KernfsNode | undefined = node;
    while (at) {
      at = this.#mountpoints.get(at) ?? at;
      if (at.name !== '') names.push(at.name);
      at = at.parent;
    }
    return `/${names.reverse().join('/')}`;
  }
}
