/**
 * Operations on names and inodes: LOOKUP and FORGET, attributes, link texts (fs/kernfs/inode.c, dir.c).
 * @module
 */

import { KernfsLink } from '../kernfs/link.js';
import type { Iattr, KernfsNode } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  decodeBatchForgetIn,
  decodeForgetIn,
  decodeGetattrIn,
  decodeName,
  decodeSetattrIn,
  encodeAttrOut,
  encodeEntryOut,
  encodeStatfsOut,
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_GID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
  FUSE_ATTR_OUT_SIZE,
  FUSE_ENTRY_OUT_SIZE,
  FUSE_GETATTR_FH,
  FUSE_STATFS_OUT_SIZE,
  FuseOp,
} from '../uapi/fuse.js';
import { dirOf, type Mount, type Operations } from './operation.js';
import { NO_REPLY, newReply, REPLY_BODY, type Reply, replyWith } from './request.js';

function attrReply(mount: Mount, node: KernfsNode): Reply {
  const reply = newReply(FUSE_ATTR_OUT_SIZE);
  encodeAttrOut(reply, REPLY_BODY, mount.view.getattr(node), mount.view.timeouts(node).attr);
  return reply;
}

function forget({ nodes, cache }: Mount, nodeid: number, lookups: number): void {
  if (nodes.forget(nodeid, lookups)) cache.negatives.forgetDir(nodeid);
}

export const inodeOps: Operations = {
  [FuseOp.LOOKUP](mount, request) {
    const { nodes, view } = mount;
    const dir = dirOf(mount, request);
    const name = decodeName(request.message);
    const node = view.find(dir, name);
    const reply = newReply(FUSE_ENTRY_OUT_SIZE);
    if (node) encodeEntryOut(reply, REPLY_BODY, nodes.tell(node), view.getattr(node), view.timeouts(node));
    else if (view.tellsNames(dir) && mount.cache.negatives.add(request.nodeid, name))
      encodeEntryOut(reply, REPLY_BODY, 0, undefined, view.timeouts(dir));
    else throw new KernelError(Errno.ENOENT);
    return reply;
  },

  [FuseOp.FORGET](mount, request) {
    forget(mount, request.nodeid, decodeForgetIn(request.message));
    return NO_REPLY;
  },

  [FuseOp.BATCH_FORGET](mount, request) {
    for (const { nodeid, nlookup } of decodeBatchForgetIn(request.message)) forget(mount, nodeid, nlookup);
    return NO_REPLY;
  },

  // fstat(2) still answers for a node that is gone. The kernel names an open file only where it goes on to use
  // it, lseek(SEEK_END) for one; that ends with the node.
  [FuseOp.GETATTR](mount, request) {
    const node = mount.nodes.get(request.nodeid);
    if (decodeGetattrIn(request.message).flags & FUSE_GETATTR_FH) node.assertActive();
    return attrReply(mount, node);
  },

  [FuseOp.SETATTR](mount, request) {
    const node = mount.nodes.get(request.nodeid);
    const { valid, ...to } = decodeSetattrIn(request.message);
    const change: Iattr = {};
    const now = node.root.now();
    if (valid & FATTR_MODE) change.mode = to.mode;
    if (valid & FATTR_UID) change.uid = to.uid;
    if (valid & FATTR_GID) change.gid = to.gid;
    if (valid & FATTR_SIZE) change.size = to.size;
    if (valid & FATTR_ATIME) change.atime = valid & FATTR_ATIME_NOW ? now : to.atime;
    if (valid & FATTR_MTIME) change.mtime = valid & FATTR_MTIME_NOW ? now : to.mtime;
    node.setattr(change);
    return attrReply(mount, node);
  },

  [FuseOp.READLINK](mount, request) {
    const node = mount.nodes.get(request.nodeid);
    if (!(node instanceof KernfsLink)) throw new KernelError(Errno.EINVAL);
    return replyWith(Buffer.from(node.readlink()));
  },

  [FuseOp.STATFS]() {
    const reply = newReply(FUSE_STATFS_OUT_SIZE);
    encodeStatfsOut(reply, REPLY_BODY);
    return reply;
  },

  // Asked only on a mount without default_permissions, where every permission is left to the tree, and the
  // tree grants what open() then refuses.
  [FuseOp.ACCESS](mount, request) {
    mount.nodes.get(request.nodeid);
    return newReply(0);
  },
};
