/**
 * Open files of an emulated process (`struct file`): a node, the flags it was opened with, a position.
 * @module
 */

import type { CharFile } from '../base/file.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { type KernfsOpenFile, O_ACCMODE, O_RDONLY, O_RDWR, O_WRONLY } from '../kernfs/file.js';
import { KernfsNode } from '../kernfs/node.js';
import { kernfsCreateRoot } from '../kernfs/root.js';

export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DIRECT = 0o40000;
export const O_LARGEFILE = 0o100000;
export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

export class OpenFile {
  position = 0;
  /** Descriptors that refer to the file. */
  references = 0;

  /**
   * @param opened the open attribute, for a file that is one
   * @param device the open character device, for a file that is one
   */
  constructor(
    readonly node: KernfsNode,
    readonly flags: number,
    readonly opened?: KernfsOpenFile,
    readonly device?: CharFile,
  ) {}

  get isPath(): boolean {
    return (this.flags & O_PATH) !== 0;
  }

  get readable(): boolean {
    const access = this.flags & O_ACCMODE;
    return !this.isPath && (access === O_RDONLY || access === O_RDWR);
  }

  get writable(): boolean {
    const access = this.flags & O_ACCMODE;
    return !this.isPath && (access === O_WRONLY || access === O_RDWR);
  }

  get dir(): KernfsDir {
    return this.node as KernfsDir;
  }
}

/** A node of no type. */
class AnonInode extends KernfsNode {
  override get size(): number {
    return 0;
  }
}

/** The node behind files that have no name, such as an open VFIO device (fs/anon_inodes.c). */
export const anonymous: KernfsNode = new AnonInode(kernfsCreateRoot(() => 0).root, 'anon_inode', 0o600);
