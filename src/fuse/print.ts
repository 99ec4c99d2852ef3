/**
 * Requests and replies as lines for the debug log (`DEBUG=mdevfs:fuse`).
 * @module
 */

import { errnoName } from '../lib/errno.js';
import {
  FUSE_NOTIFY_INVAL_ENTRY,
  FUSE_NOTIFY_INVAL_INODE,
  FUSE_NOTIFY_POLL,
  decodeCreateIn,
  decodeForgetIn,
  decodeGetxattrIn,
  decodeMknodIn,
  decodeName,
  decodeNotification,
  decodeOpenIn,
  decodePollIn,
  decodeReadIn,
  decodeSetattrIn,
  decodeSetxattrIn,
  decodeWriteIn,
  FuseOp,
  fuseOpName,
} from '../uapi/fuse.js';
import type { Request } from './request.js';

const quote = (text: string): string => JSON.stringify(text);
const octal = (value: number): string => `0${value.toString(8)}`;
const range = (b: Buffer): string => {
  const { fh, offset, size } = decodeReadIn(b);
  return `fh ${fh} ${size} bytes at ${offset}`;
};

const details: Readonly<Record<number, (message: Buffer) => string>> = {
  [FuseOp.LOOKUP]: (b) => quote(decodeName(b)),
  [FuseOp.UNLINK]: (b) => quote(decodeName(b)),
  [FuseOp.RMDIR]: (b) => quote(decodeName(b)),
  [FuseOp.REMOVEXATTR]: (b) => quote(decodeName(b)),
  [FuseOp.GETXATTR]: (b) => quote(decodeGetxattrIn(b).name),
  [FuseOp.SETXATTR]: (b) => quote(decodeSetxattrIn(b).name),
  [FuseOp.CREATE]: (b) => quote(decodeCreateIn(b).name),
  [FuseOp.MKNOD]: (b) => `${quote(decodeMknodIn(b).name)} mode ${octal(decodeMknodIn(b).mode)}`,
  [FuseOp.FORGET]: (b) => `${decodeForgetIn(b)} times`,
  [FuseOp.SETATTR]: (b) => `valid 0x${decodeSetattrIn(b).valid.toString(16)}`,
  [FuseOp.OPEN]: (b) => `flags ${octal(decodeOpenIn(b).flags)}`,
  [FuseOp.READ]: range,
  [FuseOp.READDIR]: range,
  [FuseOp.READDIRPLUS]: range,
  [FuseOp.WRITE]: (b) => {
    const { fh, offset, data } = decodeWriteIn(b);
    return `fh ${fh} ${data.length} bytes at ${offset}: ${quote(data.toString('latin1', 0, 64))}`;
  },
  [FuseOp.POLL]: (b) => `fh ${decodePollIn(b).fh} flags ${decodePollIn(b).flags}`,
};

export function printRequest(request: Request): string {
  const { unique, opcode, nodeid, pid, message } = request;
  const detail = details[opcode]?.(message) ?? '';
  return `#${unique} ${fuseOpName(opcode)} node ${nodeid} pid ${pid} ${detail}`.trimEnd();
}

const notificationNames: Readonly<Record<number, string>> = {
  [FUSE_NOTIFY_POLL]: 'NOTIFY_POLL',
  [FUSE_NOTIFY_INVAL_INODE]: 'NOTIFY_INVAL_INODE',
  [FUSE_NOTIFY_INVAL_ENTRY]: 'NOTIFY_INVAL_ENTRY',
};

export function notificationName(message: Buffer): string {
  const { code } = decodeNotification(message);
  return notificationNames[code] ?? `NOTIFY_${code}`;
}

export function printNotification(message: Buffer): string {
  const { subject, name } = decodeNotification(message);
  return `${notificationName(message)} ${subject} ${name === undefined ? '' : quote(name)}`.trimEnd();
}

/** @param error 0 or a positive errno */
export function printReply(unique: number, error: number, bodySize: number): string {
  return `#${unique} = ${error ? errnoName(error) : `${bodySize} bytes`}`;
}
