/**
 * Directory listings (fs/kernfs/dir.c `kernfs_fop_readdir`). Offsets are positions in the hash order: 0 is `.`,
 * 1 is `..`, then the hashes of the names. A listing that goes on after entries came and went neither repeats
 * nor skips what stayed. A removed directory lists `.` and `..`.
 *
 * A listing has no state here: its position is the offset, its directory the node. So OPENDIR is not implemented, and
 * a kernel that is told so opens directories by itself and keeps what it read of them.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { FIRST_HASH } from '../kernfs/hash.js';
import type { KernfsNode } from '../kernfs/node.js';
import {
  decodeReadIn,
  direntSize,
  encodeDirent,
  encodeEntryOut,
  FUSE_ENTRY_OUT_SIZE,
  FuseOp,
} from '../uapi/fuse.js';
import { dirOf, type Mount, type Operation, type Operations } from './operation.js';
import { newReply, REPLY_BODY } from './request.js';
import type { View } from './view.js';

interface Listed {
  name: string;
  node: KernfsNode;
  nextOffset: number;
}

function* listFrom(view: View, dir: KernfsDir, offset: number): Generator<Listed> {
  if (offset === 0) yield { name: '.', node: dir, nextOffset: 1 };
  if (offset <= 1) yield { name: '..', node: dir.parent ?? dir, nextOffset: view.firstOffset(dir) };
  for (const { name, nextOffset } of view.entriesFrom(dir, Math.max(offset, FIRST_HASH))) {
    const node = view.find(dir, name);
    if (node) yield { name, node, nextOffset };
  }
}

/** @param plus also answer a LOOKUP of each entry, and count it as one */
function readdir(plus: boolean): Operation {
  const extra = plus ? FUSE_ENTRY_OUT_SIZE : 0;
  return (mount, request) => {
    const { offset, size } = decodeReadIn(request.message);
    mount.nodes.list(request.nodeid);
    const reply = newReply(size);
    let at = REPLY_BODY;
    for (const { name, node, nextOffset } of listFrom(mount.view, dirOf(mount, request), offset)) {
      const bytes = Buffer.from(name);
      const length = extra + direntSize(bytes.length);
      if (at + length > reply.length) break;
      if (plus) encodeLookedUp(mount, reply, at, name, node);
      encodeDirent(reply, at + extra, node.ino, nextOffset, node.type, bytes);
      at += length;
    }
    return reply.subarray(0, at);
  };
}

function encodeLookedUp(mount: Mount, reply: Buffer, at: number, name: string, node: KernfsNode): void {
  const { view } = mount;
  if (name === '.' || name === '..') encodeEntryOut(reply, at, 0, undefined, view.timeouts(node));
  else encodeEntryOut(reply, at, mount.nodes.tell(node), view.getattr(node), view.timeouts(node));
}

export const dirOps: Operations = {
  [FuseOp.READDIR]: readdir(false),
  [FuseOp.READDIRPLUS]: readdir(true),
};
