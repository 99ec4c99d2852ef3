/**
 * The machine's own sysfs as nodes of a kernfs tree, made when somebody looks at them. Nothing of it is remembered
 * but which node stands for which inode: every look is a look at the real tree, and every failure the real errno.
 *
 * The tree must be one that its reader does not serve itself (a mount namespace of its own), or it would wait for
 * itself.
 * @module
 */

import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import type { KernfsDir } from '../kernfs/dir.js';
import { type KernfsNode, type KernfsRoot, S_IFDIR, S_IFLNK, S_IFMT } from '../kernfs/node.js';
import type { Listed } from './compose.js';
import { RealDir, RealFile, RealLink } from './real-tree-node.js';

export class RealTree implements Listed {
  readonly #nodes = new Map<string, { ino: number; node: KernfsNode }>();

  /**
   * @param base where the machine's sysfs is mounted
   * @param root whose inode numbers the nodes get
   */
  constructor(
    readonly base: string,
    readonly root: KernfsRoot,
  ) {}

  /**
   * Finds the node at a path below the base.
   * @param dir the directory that it is shown in
   */
  find(dir: KernfsDir, path: string): KernfsNode | undefined {
    const stat = this.#stat(path);
    if (!stat) {
      this.#nodes.delete(path);
      return undefined;
    }
    const known = this.#nodes.get(path);
    // The same name later is another object with attributes of its own.
    if (known?.ino === stat.ino && known.node.type === (stat.mode & S_IFMT)) return known.node;
    const node = this.#make(path, stat);
    node.parent = dir;
    this.#nodes.set(path, { ino: stat.ino, node });
    return node;
  }

  kind(path: string): 'dir' | 'file' | 'link' | undefined {
    const stat = this.#stat(path);
    if (!stat) return undefined;
    if (stat.isDirectory()) return 'dir';
    return stat.isSymbolicLink() ? 'link' : 'file';
  }

  text(path: string): string {
    return readlinkSync(this.base + path);
  }

  /** Names in a directory, none when there is no such directory. */
  names(path: string): string[] {
    try {
      return readdirSync(this.base + path);
    } catch {
      return [];
    }
  }

  #stat(path: string): Stats | undefined {
    try {
      return lstatSync(this.base + path);
    } catch {
      return undefined;
    }
  }

  #make(path: string, stat: Stats): KernfsNode {
    const name = path.slice(path.lastIndexOf('/') + 1);
    switch (stat.mode & S_IFMT) {
      case S_IFDIR:
        return new RealDir(this, name, path);
      case S_IFLNK:
        return new RealLink(this.root, name, this.base + path);
      default:
        return new RealFile(this.root, name, this.base + path, stat);
    }
  }
}
