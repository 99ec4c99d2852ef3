/**
 * The FUSE wire (include/uapi/linux/fuse.h, protocol 7.31 to 7.42): operation codes, flags, and where the
 * fields of each message lie. Requests are decoded from their whole message, replies encoded into a
 * buffer that has room for a header in front. Nobody else knows an offset.
 *
 * 64-bit fields are JavaScript numbers, exact up to 2^53. That covers everything the kernel counts; a larger
 * file offset or size only ever has to be recognised as too large.
 * @module
 */

import { getU32, getU64, putU32, putU64 } from '../lib/le.js';

export const FUSE_KERNEL_VERSION = 7;
/** The newest minor version whose messages are understood here. */
export const FUSE_KERNEL_MINOR_VERSION = 42;
/** The oldest one: from here on every message has the size this file gives it. */
export const FUSE_OLDEST_MINOR_VERSION = 31;
export const FUSE_ROOT_ID = 1;

export const FuseOp = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
} as const;

const opNames = new Map<number, string>(Object.entries(FuseOp).map(([name, value]) => [value, name]));

export function fuseOpName(opcode: number): string {
  return opNames.get(opcode) ?? `OP_${opcode}`;
}

/** Bits of `flags` in INIT. */
export const FuseInit = {
  ATOMIC_O_TRUNC: 1 << 3,
  EXPORT_SUPPORT: 1 << 4,
  BIG_WRITES: 1 << 5,
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  PARALLEL_DIROPS: 1 << 18,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  NO_OPENDIR_SUPPORT: 1 << 24,
  INIT_EXT: 1 << 30,
} as const;

/** Bits of `flags2` in INIT, which is there when `flags` has INIT_EXT. */
export const FuseInit2 = {
  PASSTHROUGH: 1 << 5,
} as const;

export const FUSE_FSYNC_FDATASYNC = 1;
export const FUSE_GETATTR_FH = 1;
export const FUSE_POLL_SCHEDULE_NOTIFY = 1;
export const FOPEN_DIRECT_IO = 1 << 0;
export const FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;
export const FOPEN_PASSTHROUGH = 1 << 7;
export const FATTR_MODE = 1 << 0;
export const FATTR_UID = 1 << 1;
export const FATTR_GID = 1 << 2;
export const FATTR_SIZE = 1 << 3;
export const FATTR_ATIME = 1 << 4;
export const FATTR_MTIME = 1 << 5;
export const FATTR_ATIME_NOW = 1 << 7;
export const FATTR_MTIME_NOW = 1 << 8;

/** Codes of unasked messages to the kernel; they travel in the error field of a reply to nothing. */
export const FUSE_NOTIFY_POLL = 1;
export const FUSE_NOTIFY_INVAL_INODE = 2;
export const FUSE_NOTIFY_INVAL_ENTRY = 3;

export const FUSE_IN_HEADER_SIZE = 40;
export const FUSE_OUT_HEADER_SIZE = 16;
/** Where a request's own fields begin. */
const BODY = FUSE_IN_HEADER_SIZE;
/** Smallest buffer the kernel agrees to read a request into. */
export const FUSE_MIN_READ_BUFFER = 8192;
export const FUSE_ENTRY_OUT_SIZE = 128;
export const FUSE_ATTR_OUT_SIZE = 104;
export const FUSE_OPEN_OUT_SIZE = 16;
export const FUSE_WRITE_OUT_SIZE = 8;
export const FUSE_STATFS_OUT_SIZE = 80;
export const FUSE_GETXATTR_OUT_SIZE = 8;
export const FUSE_LSEEK_OUT_SIZE = 8;
export const FUSE_POLL_OUT_SIZE = 8;
export const FUSE_INIT_OUT_SIZE = 64;
export const FUSE_NOTIFY_POLL_OUT_SIZE = 8;
export const FUSE_NOTIFY_INVAL_INODE_OUT_SIZE = 24;
const FUSE_NOTIFY_INVAL_ENTRY_OUT_SIZE = 16;
const FUSE_DIRENT_SIZE = 24;
const FUSE_WRITE_IN_SIZE = 40;
const FUSE_SETXATTR_IN_SIZE = 8;

const TWO32 = 0x1_0000_0000;

/** The NUL-terminated string at `at`, and where the next one begins. */
function getString(b: Buffer, at: number): [text: string, next: number] {
  const end = b.indexOf(0, at);
  const stop = end < 0 ? b.length : end;
  return [b.toString('utf8', at, stop), stop + 1];
}

/** Header of a request (`fuse_in_header`). */
export interface FuseInHeader {
  length: number;
  opcode: number;
  unique: number;
  nodeid: number;
  uid: number;
  gid: number;
  pid: number;
}

export function decodeInHeader(b: Buffer): FuseInHeader {
  return {
    length: getU32(b, 0),
    opcode: getU32(b, 4),
    unique: getU64(b, 8),
    nodeid: getU64(b, 16),
    uid: getU32(b, 24),
    gid: getU32(b, 28),
    pid: getU32(b, 32),
  };
}

/** @param error 0, a negative errno, or the code of a notification (then `unique` is 0) */
export function encodeOutHeader(b: Buffer, length: number, error: number, unique: number): void {
  putU32(b, 0, length);
  putU32(b, 4, error);
  putU64(b, 8, unique);
}

export function decodeInitIn(b: Buffer) {
  const flags = getU32(b, BODY + 12);
  return {
    major: getU32(b, BODY),
    minor: getU32(b, BODY + 4),
    flags,
    flags2: flags & FuseInit.INIT_EXT ? getU32(b, BODY + 16) : 0,
  };
}

export interface FuseInitOut {
  minor: number;
  flags: number;
  flags2: number;
  maxWrite: number;
  maxPages: number;
  /** How many file systems may lie below one that passes reads through; 0 without PASSTHROUGH. */
  maxStackDepth: number;
}

export function encodeInitOut(b: Buffer, at: number, out: FuseInitOut): void {
  b.fill(0, at, at + FUSE_INIT_OUT_SIZE);
  putU32(b, at, FUSE_KERNEL_VERSION);
  putU32(b, at + 4, out.minor);
  putU32(b, at + 12, out.flags);
  b.writeUInt16LE(64, at + 16); // max_background
  b.writeUInt16LE(48, at + 18); // congestion_threshold
  putU32(b, at + 20, out.maxWrite);
  putU32(b, at + 24, 1); // time_gran in nanoseconds
  b.writeUInt16LE(out.maxPages, at + 28);
  putU32(b, at + 32, out.flags2);
  putU32(b, at + 36, out.maxStackDepth);
}

/** LOOKUP, UNLINK, RMDIR, REMOVEXATTR: one name. */
export function decodeName(b: Buffer): string {
  return getString(b, BODY)[0];
}

export const decodeForgetIn = (b: Buffer): number => getU64(b, BODY);

/** BATCH_FORGET: pairs of a node and how many lookups of it are dropped. */
export function decodeBatchForgetIn(b: Buffer): { nodeid: number; nlookup: number }[] {
  return Array.from({ length: getU32(b, BODY) }, (_, i) => ({
    nodeid: getU64(b, BODY + 8 + i * 16),
    nlookup: getU64(b, BODY + 16 + i * 16),
  }));
}

export function decodeGetattrIn(b: Buffer) {
  return { flags: getU32(b, BODY), fh: getU64(b, BODY + 8) };
}

/** Times in milliseconds since the epoch. */
export function decodeSetattrIn(b: Buffer) {
  return {
    valid: getU32(b, BODY),
    fh: getU64(b, BODY + 8),
    size: getU64(b, BODY + 16),
    atime: getTime(b, BODY + 32, BODY + 56),
    mtime: getTime(b, BODY + 40, BODY + 60),
    mode: getU32(b, BODY + 68),
    uid: getU32(b, BODY + 76),
    gid: getU32(b, BODY + 80),
  };
}

function getTime(b: Buffer, seconds: number, nanoseconds: number): number {
  return Number(b.readBigInt64LE(seconds)) * 1000 + getU32(b, nanoseconds) / 1e6;
}

function putTime(b: Buffer, seconds: number, nanoseconds: number, time: number): void {
  let s = Math.floor(time / 1000);
  let ns = Math.round((time - s * 1000) * 1e6);
  if (ns >= 1e9) {
    s++;
    ns -= 1e9;
  }
  // A signed number: the upper half of one before 1970 is all ones.
  putU32(b, seconds, s);
  putU32(b, seconds + 4, Math.floor(s / TWO32));
  putU32(b, nanoseconds, ns);
}

export const decodeOpenIn = (b: Buffer): { flags: number } => ({ flags: getU32(b, BODY) });

/** RELEASE, RELEASEDIR, FLUSH, FSYNC, FSYNCDIR: the handle comes first. */
export const decodeFh = (b: Buffer): number => getU64(b, BODY);

/** READ, READDIR, READDIRPLUS. */
export function decodeReadIn(b: Buffer) {
  return { fh: getU64(b, BODY), offset: getU64(b, BODY + 8), size: getU32(b, BODY + 16) };
}

/** `data` is the request's own memory and must be copied by who wants to keep it. */
export function decodeWriteIn(b: Buffer) {
  const size = getU32(b, BODY + 16);
  return {
    fh: getU64(b, BODY),
    offset: getU64(b, BODY + 8),
    data: b.subarray(BODY + FUSE_WRITE_IN_SIZE, BODY + FUSE_WRITE_IN_SIZE + size),
  };
}

export function decodeLseekIn(b: Buffer) {
  return { fh: getU64(b, BODY), offset: getU64(b, BODY + 8), whence: getU32(b, BODY + 16) };
}

export function decodePollIn(b: Buffer) {
  return {
    fh: getU64(b, BODY),
    kh: getU64(b, BODY + 8),
    flags: getU32(b, BODY + 16),
    events: getU32(b, BODY + 20),
  };
}

export const decodeInterruptIn = (b: Buffer): number => getU64(b, BODY);

export const decodeAccessIn = (b: Buffer): number => getU32(b, BODY);

/** MKNOD: mode and name. */
export function decodeMknodIn(b: Buffer) {
  return { mode: getU32(b, BODY), name: getString(b, BODY + 16)[0] };
}

/** CREATE: open flags, mode and name. */
export function decodeCreateIn(b: Buffer) {
  return { flags: getU32(b, BODY), mode: getU32(b, BODY + 4), name: getString(b, BODY + 16)[0] };
}

export const decodeRename2In = (b: Buffer): { flags: number } => ({ flags: getU32(b, BODY + 8) });

export function decodeSetxattrIn(b: Buffer) {
  const size = getU32(b, BODY);
  const [name, value] = getString(b, BODY + FUSE_SETXATTR_IN_SIZE);
  return { flags: getU32(b, BODY + 4), name, value: b.subarray(value, value + size) };
}

/** GETXATTR: room for the value, and the name. */
export function decodeGetxattrIn(b: Buffer) {
  return { size: getU32(b, BODY), name: getString(b, BODY + 8)[0] };
}

export const decodeListxattrIn = (b: Buffer): number => getU32(b, BODY);

/** What `fuse_attr` holds. Times are milliseconds since the epoch. */
export interface FuseAttr {
  ino: number;
  size: number;
  atime: number;
  mtime: number;
  ctime: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
}

export const FUSE_BLKSIZE = 4096;

function encodeAttr(b: Buffer, at: number, attr: FuseAttr): void {
  putU64(b, at, attr.ino);
  putU64(b, at + 8, attr.size);
  putU64(b, at + 16, 0); // blocks
  putTime(b, at + 24, at + 48, attr.atime);
  putTime(b, at + 32, at + 52, attr.mtime);
  putTime(b, at + 40, at + 56, attr.ctime);
  putU32(b, at + 60, attr.mode);
  putU32(b, at + 64, attr.nlink);
  putU32(b, at + 68, attr.uid);
  putU32(b, at + 72, attr.gid);
  putU32(b, at + 76, attr.rdev);
  putU32(b, at + 80, FUSE_BLKSIZE);
  putU32(b, at + 84, 0);
}

/** @param timeout seconds the kernel may believe the attributes */
export function encodeAttrOut(b: Buffer, at: number, attr: FuseAttr, timeout: number): void {
  putTimeout(b, at, at + 8, timeout);
  putU32(b, at + 12, 0);
  encodeAttr(b, at + 16, attr);
}

/** @param nodeid 0 for a name that does not exist, which the kernel may also remember */
export function encodeEntryOut(
  b: Buffer,
  at: number,
  nodeid: number,
  attr: FuseAttr | undefined,
  timeouts: { entry: number; attr: number },
): void {
  b.fill(0, at, at + FUSE_ENTRY_OUT_SIZE);
  putU64(b, at, nodeid);
  putTimeout(b, at + 16, at + 32, timeouts.entry);
  putTimeout(b, at + 24, at + 36, timeouts.attr);
  if (attr) encodeAttr(b, at + 40, attr);
}

function putTimeout(b: Buffer, seconds: number, nanoseconds: number, timeout: number): void {
  const whole = Math.floor(timeout);
  putU64(b, seconds, whole);
  putU32(b, nanoseconds, Math.round((timeout - whole) * 1e9));
}

/** @param backing the number of the file behind it, with FOPEN_PASSTHROUGH */
export function encodeOpenOut(b: Buffer, at: number, fh: number, flags: number, backing = 0): void {
  putU64(b, at, fh);
  putU32(b, at + 8, flags);
  putU32(b, at + 12, backing);
}

/** WRITE, GETXATTR (size of a value), POLL: a 32-bit number and padding. */
export function encodeU32Out(b: Buffer, at: number, value: number): void {
  putU32(b, at, value);
  putU32(b, at + 4, 0);
}

/** LSEEK, NOTIFY_POLL: one 64-bit number. */
export const encodeU64Out = putU64;

export function encodeStatfsOut(b: Buffer, at: number): void {
  b.fill(0, at, at + FUSE_STATFS_OUT_SIZE);
  putU32(b, at + 40, FUSE_BLKSIZE); // bsize
  putU32(b, at + 44, 255); // namelen
  putU32(b, at + 48, FUSE_BLKSIZE); // frsize
}

/** Bytes that a directory entry with a name of that many bytes takes. */
export function direntSize(nameLength: number): number {
  return (FUSE_DIRENT_SIZE + nameLength + 7) & ~7;
}

/** @param type file type bits of the mode */
export function encodeDirent(
  b: Buffer,
  at: number,
  ino: number,
  nextOffset: number,
  type: number,
  name: Buffer,
): void {
  putU64(b, at, ino);
  putU64(b, at + 8, nextOffset);
  putU32(b, at + 16, name.length);
  putU32(b, at + 20, type >>> 12);
  name.copy(b, at + FUSE_DIRENT_SIZE);
  b.fill(0, at + FUSE_DIRENT_SIZE + name.length, at + direntSize(name.length));
}

/** NOTIFY_INVAL_INODE: drops the node's attributes, and what is cached of a directory's or link's content. */
export function encodeInvalInode(b: Buffer, at: number, nodeid: number): void {
  putU64(b, at, nodeid);
  putU64(b, at + 8, 0); // from the beginning
  putU64(b, at + 16, 0); // to the end
}

export const invalEntrySize = (nameLength: number): number =>
  FUSE_NOTIFY_INVAL_ENTRY_OUT_SIZE + nameLength + 1;

/** NOTIFY_INVAL_ENTRY: drops a name, be it cached as there or as missing. */
export function encodeInvalEntry(b: Buffer, at: number, parent: number, name: Buffer): void {
  putU64(b, at, parent);
  putU32(b, at + 8, name.length);
  putU32(b, at + 12, 0);
  name.copy(b, at + FUSE_NOTIFY_INVAL_ENTRY_OUT_SIZE);
  b[at + FUSE_NOTIFY_INVAL_ENTRY_OUT_SIZE + name.length] = 0;
}

/** What a notification is about: its code, the node or poll handle, and the name in an INVAL_ENTRY. */
export function decodeNotification(message: Buffer): { code: number; subject: number; name?: string } {
  const code = message.readInt32LE(4);
  const subject = getU64(message, FUSE_OUT_HEADER_SIZE);
  if (code !== FUSE_NOTIFY_INVAL_ENTRY) return { code, subject };
  const [name] = getString(message, FUSE_OUT_HEADER_SIZE + FUSE_NOTIFY_INVAL_ENTRY_OUT_SIZE);
  return { code, subject, name };
}
