/**
 * The tree that an emulated machine shows at /sys, read as root reads it. Without the control files of mdevfs.
 * @module
 */

import { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile, O_RDONLY } from '../kernfs/file.js';
import { KernfsLink } from '../kernfs/link.js';
import { type ErrnoName, KernelError } from '../lib/errno.js';
import type { Machine } from './machine.js';
import { CONTROL_DIR, newDir, Tree, type TreeDir, type TreeFile } from './tree.js';

const PERMISSIONS = 0o7777;
const CHUNK = 4096;

export function machineTree(machine: Machine): Tree {
  return new Tree(readDir(machine.sysfs, '/sys'));
}

function readDir(dir: KernfsDir, path: string): TreeDir {
  const tree = newDir(dir.mode & PERMISSIONS);
  for (const name of dir.names()) {
    const at = `${path}/${name}`;
    const node = dir.find(name);
    if (at === CONTROL_DIR || !node) continue;
    if (node instanceof KernfsDir) tree.entries.set(name, readDir(node, at));
    else if (node instanceof KernfsLink) tree.entries.set(name, { kind: 'link', text: node.readlink() });
    else if (node instanceof KernfsFile) tree.entries.set(name, readFile(node));
  }
  return tree;
}

function readFile(file: KernfsFile): TreeFile {
  const tree: TreeFile = { kind: 'file', mode: file.mode & PERMISSIONS, size: file.size };
  if ((tree.mode & 0o444) === 0) return tree;
  try {
    const opened = file.open(O_RDONLY);
    try {
      const pieces: Uint8Array[] = [];
      for (let offset = 0; ; ) {
        const piece = opened.read(offset, CHUNK);
        if (piece.length === 0) break;
        pieces.push(Buffer.from(piece));
        offset += piece.length;
      }
      tree.content = Buffer.concat(pieces);
    } finally {
      opened.release();
    }
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    tree.error = error.code as ErrnoName;
  }
  return tree;
}
