/**
 * Operations on open files (fs/kernfs/file.c). Files are opened for direct I/O: the kernel keeps no pages of
 * them, so a read is produced by the attribute and a write is handed over as it is.
 *
 * One write(2) is one store of at most a page. The kernel cuts a long write into requests of max_write bytes
 * and goes on as long as each is taken whole; since max_write is two pages, a longer write is answered short
 * and ends there, and nothing of its rest arrives.
 * @module
 */

import { openFile, readFile, writeFile } from '../kernfs/fault.js';
import { type KernfsOpenFile, PAGE_SIZE } from '../kernfs/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import { asleep } from '../lib/sleep.js';
import {
  decodeFh,
  decodeLseekIn,
  decodeOpenIn,
  decodePollIn,
  decodeReadIn,
  decodeWriteIn,
  encodeOpenOut,
  encodeU32Out,
  encodeU64Out,
  FOPEN_DIRECT_IO,
  FOPEN_PARALLEL_DIRECT_WRITES,
  FOPEN_PASSTHROUGH,
  FUSE_LSEEK_OUT_SIZE,
  FUSE_OPEN_OUT_SIZE,
  FUSE_POLL_OUT_SIZE,
  FUSE_POLL_SCHEDULE_NOTIFY,
  FUSE_WRITE_OUT_SIZE,
  FuseOp,
} from '../uapi/fuse.js';
import { fileOf, type Mount, type Operations } from './operation.js';
import { lateReply, lateReplyWith, newReply, REPLY_BODY, type Reply, replyWith } from './request.js';

// asm-generic/fcntl.h and linux/fs.h; O_DIRECT is x86's.
const O_TRUNC = 0o1000;
const O_DIRECT = 0o40000;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Writers of one file need not wait for each other: each is one call of its owner. */
const OPEN_FLAGS = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;

function u32Reply(reply: Reply, value: number): Reply {
  encodeU32Out(reply, REPLY_BODY, value);
  return reply;
}

function openReply(mount: Mount, open: KernfsOpenFile, flags: number, uid: number, reply: Reply): Reply {
  const { file } = open;
  if (flags & O_DIRECT) throw new KernelError(Errno.EINVAL);
  if (flags & O_TRUNC) file.setattr({ size: 0 });
  const backing = mount.backings?.opened(file);
  if (backing !== undefined) open.see();
  const openFlags = backing === undefined ? OPEN_FLAGS : FOPEN_PASSTHROUGH;
  encodeOpenOut(reply, REPLY_BODY, mount.handles.add(open, uid), openFlags, backing);
  return reply;
}

export const fileOps: Operations = {
  [FuseOp.OPEN](mount, request) {
    const file = fileOf(mount, request);
    const { uid } = request;
    const { flags } = decodeOpenIn(request.message);
    mount.handles.budget.assertRoom(uid);
    const open = openFile(file, flags);
    if (!asleep(open)) return openReply(mount, open, flags, uid, newReply(FUSE_OPEN_OUT_SIZE));
    return open.then((late) => openReply(mount, late, flags, uid, lateReply(FUSE_OPEN_OUT_SIZE)));
  },

  [FuseOp.READ](mount, request) {
    const { fh, offset, size } = decodeReadIn(request.message);
    const data = readFile(mount.handles.get(fh), offset, size);
    return asleep(data) ? data.then(lateReplyWith) : replyWith(data);
  },

  [FuseOp.WRITE](mount, request) {
    const { fh, offset, data } = decodeWriteIn(request.message);
    const taken = writeFile(mount.handles.get(fh), Buffer.from(data.subarray(0, PAGE_SIZE)), offset);
    if (!asleep(taken)) return u32Reply(newReply(FUSE_WRITE_OUT_SIZE), taken);
    return taken.then((count) => u32Reply(lateReply(FUSE_WRITE_OUT_SIZE), count));
  },

  [FuseOp.RELEASE](mount, request) {
    const file = mount.handles.release(decodeFh(request.message));
    if (file && !mount.handles.isOpen(file)) mount.backings?.closed(file);
    return newReply(0);
  },

  [FuseOp.FSYNC]() {
    return newReply(0);
  },

  // The file is one piece of data as long as its size says.
  [FuseOp.LSEEK](mount, request) {
    const { fh, offset, whence } = decodeLseekIn(request.message);
    const { file } = mount.handles.get(fh);
    file.assertActive();
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw new KernelError(Errno.EINVAL);
    if (offset >= file.size) throw new KernelError(Errno.ENXIO);
    const reply = newReply(FUSE_LSEEK_OUT_SIZE);
    encodeU64Out(reply, REPLY_BODY, whence === SEEK_DATA ? offset : file.size);
    return reply;
  },

  [FuseOp.POLL](mount, request) {
    const { fh, kh, flags } = decodePollIn(request.message);
    const events = mount.handles.get(fh).poll();
    if (flags & FUSE_POLL_SCHEDULE_NOTIFY) mount.handles.wakeAtEvent(fh, kh);
    return u32Reply(newReply(FUSE_POLL_OUT_SIZE), events);
  },
};
