/**
 * Extended attributes of any node (fs/kernfs/inode.c `kernfs_xattr_handlers`).
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import {
  decodeGetxattrIn,
  decodeListxattrIn,
  decodeName,
  decodeSetxattrIn,
  encodeU32Out,
  FUSE_GETXATTR_OUT_SIZE,
  FuseOp,
} from '../uapi/fuse.js';
import type { Operations } from './operation.js';
import { newReply, REPLY_BODY, type Reply, replyWith } from './request.js';

/** @param room bytes the caller has; 0 when it only asks how many it needs */
function valueReply(value: Uint8Array, room: number): Reply {
  if (room === 0) {
    const reply = newReply(FUSE_GETXATTR_OUT_SIZE);
    encodeU32Out(reply, REPLY_BODY, value.length);
    return reply;
  }
  if (value.length > room) throw new KernelError(Errno.ERANGE);
  return replyWith(value);
}

/**
 * ls(1) asks each file for its label, and the kernel asks the daemon each time. sysfs says ENODATA. This says that
 * there are no labels at all, after which ls asks no more. A label that was set is there.
 */
const SELINUX_LABEL = 'security.selinux';

export const xattrOps: Operations = {
  [FuseOp.GETXATTR](mount, request) {
    const { size, name } = decodeGetxattrIn(request.message);
    const { xattrs } = mount.nodes.get(request.nodeid);
    if (name === SELINUX_LABEL && !xattrs.has(name)) throw new KernelError(Errno.EOPNOTSUPP);
    return valueReply(xattrs.get(name), size);
  },

  [FuseOp.LISTXATTR](mount, request) {
    const names = mount.nodes.get(request.nodeid).xattrs.list();
    return valueReply(
      Buffer.from(names.map((name) => `${name}\0`).join('')),
      decodeListxattrIn(request.message),
    );
  },

  [FuseOp.SETXATTR](mount, request) {
    const { flags, name, value } = decodeSetxattrIn(request.message);
    mount.nodes.get(request.nodeid).ownXattrs().set(name, value, flags);
    return newReply(0);
  },

  [FuseOp.REMOVEXATTR](mount, request) {
    mount.nodes.get(request.nodeid).xattrs.remove(decodeName(request.message));
    return newReply(0);
  },
};
