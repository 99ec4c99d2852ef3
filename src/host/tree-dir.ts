/**
 * Reads a sysfs, or a directory that was copied from one, into a tree. Nothing is written, and nothing is read whose
 * reading does something or may never end. What vanishes meanwhile is left out. Never for a mount of this process: its
 * own thread could not answer.
 * @module
 */

import { constants } from 'node:fs';
import { lstat, open, readdir, readlink, statfs } from 'node:fs/promises';
import { Errno, type ErrnoName } from '../lib/errno.js';
import { CONTROL_DIR, newDir, Tree, type TreeDir, type TreeFile, type TreeNode } from '../machine/tree.js';
import { contentOfCopy } from './tree-copy.js';

const SYSFS_MAGIC = 0x62656572;
const FUSE_SUPER_MAGIC = 0x65735546;

/** What is not read because it may block. */
const BLOCKS = '/sys/power/wakeup_count';
/** Files of PCI functions that reach into the hardware. */
const OF_HARDWARE = /^(resource\d+(_wc)?|rom|vpd)$/;
/** More is not kept of one file. */
const MOST = 256 * 1024;
const AT_ONCE = 32;

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
const S_IFREG = 0o100000;

export interface ReadOptions {
  /** Told how many nodes there are so far. */
  progress?: (nodes: number) => void;
}

/** @throws ENOENT, ENOTDIR, EACCES of the directory itself */
export async function readTree(dir: string, { progress = () => {} }: ReadOptions = {}): Promise<Tree> {
  const { type } = await statfs(dir);
  const reader = new Reader(dir, type !== SYSFS_MAGIC && type !== FUSE_SUPER_MAGIC, progress);
  return new Tree(await reader.root());
}

class Reader {
  #nodes = 0;
  #free = AT_ONCE;
  readonly #waiting: (() => void)[] = [];

  /** @param copied whether sizes are those of a copy, and what could not be copied is missing */
  constructor(
    readonly top: string,
    readonly copied: boolean,
    readonly progress: (nodes: number) => void,
  ) {}

  async root(): Promise<TreeDir> {
    const { dev, mode } = await lstat(this.top);
    await readdir(this.top);
    return this.#dir('/sys', mode & 0o7777, dev);
  }

  #real(path: string): string {
    return this.top + path.slice('/sys'.length);
  }

  async #dir(path: string, mode: number, dev: number): Promise<TreeDir> {
    const dir = newDir(mode, this.copied);
    const names = await this.#turn(() => readdir(this.#real(path))).catch(() => undefined);
    if (!names) return { ...dir, partial: true };
    const isFunction = names.includes('config') && names.includes('vendor');
    const nodes = await Promise.all(
      names.sort().map((name) => this.#node(`${path}/${name}`, dev, isFunction && OF_HARDWARE.test(name))),
    );
    for (const [index, node] of nodes.entries()) if (node) dir.entries.set(names[index]!, node);
    return dir;
  }

  async #node(path: string, dev: number, ofHardware: boolean): Promise<TreeNode | undefined> {
    if (path === CONTROL_DIR) return undefined;
    const real = this.#real(path);
    const stat = await this.#turn(() => lstat(real)).catch(() => undefined);
    if (!stat) return undefined;
    this.progress(++this.#nodes);
    const mode = stat.mode & 0o7777;
    switch (stat.mode & S_IFMT) {
      case S_IFDIR:
        // What is mounted there is no sysfs; but that there is a directory belongs to it.
        return stat.dev === dev ? this.#dir(path, mode, dev) : newDir(mode, true);
      case S_IFLNK: {
        const text = await this.#turn(() => readlink(real)).catch(() => undefined);
        return text === undefined ? undefined : { kind: 'link', text };
      }
      case S_IFREG: {
        const file: TreeFile = {
          kind: 'file',
          mode,
          size: stat.size,
          ...(this.copied && { unsure: 'size' }),
        };
        const isReadable = (mode & 0o444) !== 0 && stat.size <= MOST && !ofHardware && path !== BLOCKS;
        return isReadable ? this.#turn(() => this.#read(real, file)) : file;
      }
      default:
        return undefined;
    }
  }

  /** The file with what is in it; undefined when it has gone. */
  async #read(real: string, file: TreeFile): Promise<TreeFile | undefined> {
    try {
      const handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
      try {
        const pieces: Buffer[] = [];
        for (let offset = 0; offset <= MOST; ) {
          const { bytesRead, buffer } = await handle.read(Buffer.alloc(4096), 0, 4096, offset);
          if (bytesRead === 0) {
            const content = Buffer.concat(pieces);
            return { ...file, content: this.copied ? contentOfCopy(content) : content };
          }
          pieces.push(buffer.subarray(0, bytesRead));
          offset += bytesRead;
        }
        return file;
      } finally {
        await handle.close();
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (code === 'ENOENT') return undefined;
      // What others than root are refused is not what the file does.
      const isRefused = (code === 'EACCES' || code === 'EPERM') && process.geteuid?.() !== 0;
      return isRefused ? file : { ...file, error: code in Errno ? (code as ErrnoName) : 'EIO' };
    }
  }

  /** Waits until not too many others are at it. */
  async #turn<T>(body: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await body();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
