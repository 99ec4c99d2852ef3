/**
 * Operations of a mount that shows character devices, as devtmpfs does. A kernel opens the node of a character device by
 * its number, and never asks the file system; so nodes are shown as regular files, and every call on an open one
 * arrives here.
 *
 * * Each lookup of a node gives it another number, so that each open file is an inode of its own. Nothing is recognized by
 *   it: a client can make a file with any number.
 * * Nothing is remembered: names, attributes and listings are asked for each time.
 * * A file is opened for direct I/O, with the offsets and lengths that the caller chose. What it maps is a backing file,
 *   where the device has memory to be mapped.
 * @module
 */

import { isDir } from '../kernfs/dir.js';
import { type KernfsNode, S_IFMT, S_IFREG, type Stat } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import { asleep } from '../lib/sleep.js';
import {
  decodeFh,
  decodeName,
  decodeOpenIn,
  decodePollIn,
  decodeReadIn,
  decodeSetattrIn,
  decodeWriteIn,
  encodeAttrOut,
  encodeEntryOut,
  encodeOpenOut,
  encodeU32Out,
  FATTR_SIZE,
  FOPEN_DIRECT_IO,
  FOPEN_PARALLEL_DIRECT_WRITES,
  FOPEN_PASSTHROUGH,
  FUSE_ATTR_OUT_SIZE,
  FUSE_ENTRY_OUT_SIZE,
  FUSE_OPEN_OUT_SIZE,
  FUSE_POLL_OUT_SIZE,
  FUSE_WRITE_OUT_SIZE,
  FuseOp,
} from '../uapi/fuse.js';
import { decodeIoctlIn, encodeIoctlOut, FUSE_IOCTL_OUT_SIZE } from '../uapi/fuse-ioctl.js';
import type { Timeouts } from './cache.js';
import type { CharDevices } from './char-device.js';
import type { CharHandles } from './char-handles.js';
import { dirOps } from './dir-ops.js';
import { inodeOps } from './inode-ops.js';
import { dirOf, type Mount, type Operations } from './operation.js';
import { refusedOps } from './refused-ops.js';
import {
  lateReply,
  lateReplyWith,
  newReply,
  REPLY_BODY,
  type Reply,
  type Request,
  replyWith,
} from './request.js';
import { plainView, type View } from './view.js';
import { xattrOps } from './xattr-ops.js';

const neverCached: Timeouts = { entry: 0, attr: 0 };

/** A tree whose every answer holds for the moment. */
export const uncachedView: View = { ...plainView, timeouts: () => neverCached, tellsNames: () => false };

/** Of a file that is mapped: beyond the size of a regular one, some programs do not try. */
const MAPPABLE_SIZE = 2 ** 44;

function shown(devices: CharDevices, node: KernfsNode, nodeid: number): Stat {
  const stat = node.getattr();
  // A listing is read again when its directory has another time.
  if (isDir(node)) return { ...stat, mtime: node.root.now() };
  const size = devices.isMappable?.(node) ? MAPPABLE_SIZE : 0;
  return { ...stat, ino: nodeid, mode: S_IFREG | (stat.mode & ~S_IFMT), rdev: 0, size };
}

function ioctlReply(reply: Reply, result: number): Reply {
  encodeIoctlOut(reply, REPLY_BODY, result);
  return reply;
}

function writeReply(reply: Reply, count: number): Reply {
  encodeU32Out(reply, REPLY_BODY, count);
  return reply;
}

/** @param devices answers for the nodes; @param handles its open files */
export function charOps(devices: CharDevices, handles: CharHandles): Operations {
  const find = (mount: Mount, request: Request): KernfsNode | undefined => {
    const dir = dirOf(mount, request);
    const name = decodeName(request.message);
    return dir.find(name) ?? (dir.parent ? undefined : devices.find?.(name, request.pid));
  };
  const getattr = (mount: Mount, { nodeid }: Request): Reply => {
    const reply = newReply(FUSE_ATTR_OUT_SIZE);
    const stat = shown(devices, mount.nodes.get(nodeid), nodeid);
    encodeAttrOut(reply, REPLY_BODY, stat, neverCached.attr);
    return reply;
  };
  return {
    ...inodeOps,
    ...xattrOps,
    ...refusedOps,
    [FuseOp.READDIR]: dirOps[FuseOp.READDIR]!,

    [FuseOp.LOOKUP](mount, request) {
      const node = find(mount, request);
      if (!node) throw new KernelError(Errno.ENOENT);
      const stays = isDir(node) || devices.isCovered?.(node);
      const nodeid = stays ? mount.nodes.tell(node) : mount.nodes.tellApart(node);
      const reply = newReply(FUSE_ENTRY_OUT_SIZE);
      encodeEntryOut(reply, REPLY_BODY, nodeid, shown(devices, node, nodeid), neverCached);
      return reply;
    },

    [FuseOp.GETATTR]: getattr,

    // What is no regular file has no size to be set. Opening with O_TRUNC does not come here.
    [FuseOp.SETATTR](mount, request) {
      const { valid } = decodeSetattrIn(request.message);
      if (valid & FATTR_SIZE && !isDir(mount.nodes.get(request.nodeid))) throw new KernelError(Errno.EINVAL);
      inodeOps[FuseOp.SETATTR]!(mount, request);
      return getattr(mount, request);
    },

    [FuseOp.OPEN](mount, { nodeid, message, uid }) {
      const node = mount.nodes.get(nodeid);
      if (isDir(node)) throw new KernelError(Errno.EISDIR);
      handles.budget.assertRoom(uid);
      const file = devices.open(node, decodeOpenIn(message).flags);
      const fh = handles.add(file, uid);
      const mapped = file.backing === undefined ? 0 : FOPEN_PASSTHROUGH;
      const flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | mapped;
      const reply = newReply(FUSE_OPEN_OUT_SIZE);
      encodeOpenOut(reply, REPLY_BODY, fh, flags, file.backing);
      return reply;
    },

    [FuseOp.READ](_mount, { message, pid }) {
      const { fh, offset, size } = decodeReadIn(message);
      const bytes = handles.get(fh).read(size, offset, pid);
      return asleep(bytes) ? bytes.then(lateReplyWith) : replyWith(bytes);
    },

    [FuseOp.WRITE](_mount, { message, pid }) {
      const { fh, offset, data } = decodeWriteIn(message);
      const taken = handles.get(fh).write(data, offset, pid);
      if (!asleep(taken)) return writeReply(newReply(FUSE_WRITE_OUT_SIZE), taken);
      return taken.then((count) => writeReply(lateReply(FUSE_WRITE_OUT_SIZE), count));
    },

    [FuseOp.IOCTL](_mount, { message, pid }) {
      const { fh, command, argument } = decodeIoctlIn(message);
      const result = handles.get(fh).ioctl(command, argument, pid);
      if (!asleep(result)) return ioctlReply(newReply(FUSE_IOCTL_OUT_SIZE), result);
      return result.then((late) => ioctlReply(lateReply(FUSE_IOCTL_OUT_SIZE), late));
    },

    [FuseOp.POLL](_mount, { message }) {
      return writeReply(newReply(FUSE_POLL_OUT_SIZE), handles.get(decodePollIn(message).fh).poll());
    },

    [FuseOp.RELEASE](_mount, { message }) {
      handles.release(decodeFh(message));
      return newReply(0);
    },
  };
}
