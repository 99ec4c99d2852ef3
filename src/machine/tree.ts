/**
 * A sysfs as data: what a directory, a file and a link of it showed when it was read. Trees come from an emulated machine
 * (tree-machine.ts), a `.umockdev` recording (umockdev.ts), and from directories and archives, which src/host reads.
 *
 * Paths are absolute and begin with /sys, wherever the tree was.
 * @module
 */

import type { ErrnoName } from '../lib/errno.js';

export interface TreeFile {
  kind: 'file';
  /** Permission bits. */
  mode: number;
  /** As stat reports it. */
  size: number;
  /** What reading it gave; not given for what cannot be read, and for what was not. */
  content?: Uint8Array | undefined;
  /** What reading it failed with. */
  error?: ErrnoName | undefined;
  /** What is only a guess, since the source does not tell. */
  unsure?: 'size' | 'mode and size' | undefined;
}

export interface TreeLink {
  kind: 'link';
  /** What readlink gives. */
  text: string;
}

export interface TreeDir {
  kind: 'dir';
  mode: number;
  entries: Map<string, TreeNode>;
  /** Whether there may have been more in it than this. */
  partial?: boolean | undefined;
}

export type TreeNode = TreeFile | TreeLink | TreeDir;

/** Directory of files that only mdevfs has, and every machine of it. */
export const CONTROL_DIR = '/sys/kernel/debug/mdevfs';

export const newDir = (mode = 0o755, partial = false): TreeDir => ({
  kind: 'dir',
  mode,
  entries: new Map(),
  partial,
});

/** Where a link in a directory leads, as an absolute path; the end of the path may be above the tree. */
export function resolveLink(dir: string, text: string): string {
  if (text.startsWith('/')) return text;
  const parts = dir.split('/');
  for (const part of text.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/') || '/';
}

export const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/'));
export const baseOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** More than is taken from a source that is not trusted. */
export class TreeTooLargeError extends Error {}

export class Tree {
  #made = 0;

  /** @param most how many nodes may be put into it, with the directories above them */
  constructor(
    readonly root: TreeDir,
    readonly most = Number.POSITIVE_INFINITY,
  ) {}

  /** The node at a path; links on the way are not followed. */
  find(path: string): TreeNode | undefined {
    let node: TreeNode = this.root;
    for (const name of path.split('/').slice(2)) {
      if (node.kind !== 'dir') return undefined;
      const next = node.entries.get(name);
      if (!next) return undefined;
      node = next;
    }
    return node;
  }

  has(path: string): boolean {
    return this.find(path) !== undefined;
  }

  dir(path: string): TreeDir | undefined {
    const node = this.find(path);
    return node?.kind === 'dir' ? node : undefined;
  }

  /** Names in a directory, sorted; none where there is no directory. */
  names(path: string): string[] {
    return [...(this.dir(path)?.entries.keys() ?? [])].sort();
  }

  /** Names of the directories in a directory, sorted. */
  dirNames(path: string): string[] {
    const entries = this.dir(path)?.entries;
    return this.names(path).filter((name) => entries!.get(name)!.kind === 'dir');
  }

  bytes(path: string): Uint8Array | undefined {
    const node = this.find(path);
    return node?.kind === 'file' ? node.content : undefined;
  }

  /** Text of a file without its last newline; undefined where there is none or it could not be read. */
  text(path: string): string | undefined {
    const bytes = this.bytes(path);
    return bytes && Buffer.from(bytes).toString('latin1').replace(/\n$/, '');
  }

  /** The path that a link leads to; undefined where there is no link. */
  target(path: string): string | undefined {
    const node = this.find(path);
    return node?.kind === 'link' ? resolveLink(parentOf(path), node.text) : undefined;
  }

  /** The last name of the path that a link leads to. */
  targetName(path: string): string | undefined {
    const target = this.target(path);
    return target === undefined ? undefined : baseOf(target);
  }

  /** The directory at a path, made with those above it. Those that are made may be incomplete. */
  makeDir(path: string, partial = true): TreeDir {
    let dir = this.root;
    for (const name of path.split('/').slice(2)) {
      let next = dir.entries.get(name);
      if (next?.kind !== 'dir') {
        this.#count();
        next = newDir(0o755, partial);
        dir.entries.set(name, next);
      }
      dir = next;
    }
    return dir;
  }

  #count(): void {
    if (++this.#made > this.most) throw new TreeTooLargeError(`more than ${this.most} nodes`);
  }

  put(path: string, node: TreeNode): void {
    this.#count();
    this.makeDir(parentOf(path)).entries.set(baseOf(path), node);
  }

  /** Every node with its path, sorted, a directory before what is in it. */
  *walk(path = '/sys', dir = this.root): Generator<[string, TreeNode]> {
    for (const name of [...dir.entries.keys()].sort()) {
      const node = dir.entries.get(name)!;
      yield [`${path}/${name}`, node];
      if (node.kind === 'dir') yield* this.walk(`${path}/${name}`, node);
    }
  }
}
