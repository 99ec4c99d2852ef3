/**
 * Messages to the kernel that answer no request.
 * @module
 */

import {
  encodeInvalEntry,
  encodeInvalInode,
  encodeOutHeader,
  encodeU64Out,
  FUSE_NOTIFY_INVAL_ENTRY,
  FUSE_NOTIFY_INVAL_INODE,
  FUSE_NOTIFY_INVAL_INODE_OUT_SIZE,
  FUSE_NOTIFY_POLL,
  FUSE_NOTIFY_POLL_OUT_SIZE,
  invalEntrySize,
} from '../uapi/fuse.js';
import { lateReply, REPLY_BODY } from './request.js';

function finished(message: Buffer, code: number): Buffer {
  encodeOutHeader(message, message.length, code, 0);
  return message;
}

/** Has the pollers of a poll handle ask again. */
export function pollWakeup(kh: number): Buffer {
  const message = lateReply(FUSE_NOTIFY_POLL_OUT_SIZE);
  encodeU64Out(message, REPLY_BODY, kh);
  return finished(message, FUSE_NOTIFY_POLL);
}

/** Drops a node's attributes and pages. */
export function invalInode(nodeid: number): Buffer {
  const message = lateReply(FUSE_NOTIFY_INVAL_INODE_OUT_SIZE);
  encodeInvalInode(message, REPLY_BODY, nodeid);
  return finished(message, FUSE_NOTIFY_INVAL_INODE);
}

/** Drops a name of a directory. */
export function invalEntry(parent: number, name: string): Buffer {
  const bytes = Buffer.from(name);
  const message = lateReply(invalEntrySize(bytes.length));
  encodeInvalEntry(message, REPLY_BODY, parent, bytes);
  return finished(message, FUSE_NOTIFY_INVAL_ENTRY);
}
