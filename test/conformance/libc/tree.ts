/**
 * Names and inodes: the stat family, permissions, times, links and extended attributes.
 * @module
 */

import { makedev } from '../stat.js';
import type { Sys, SysStat, SysStatx } from '../sys.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  checkedBy,
  type Library,
  type Root,
} from './bindings.js';

type TreeCalls = Pick<
  Sys,
  | 'stat'
  | 'lstat'
  | 'fstat'
  | 'statx'
  | 'readlink'
  | 'realpath'
  | 'access'
  | 'chmod'
  | 'chown'
  | 'lchown'
  | 'utimes'
  | 'lutimes'
  | 'truncate'
  | 'mkdir'
  | 'mkdirat'
  | 'rmdir'
  | 'unlink'
  | 'symlink'
  | 'link'
  | 'rename'
  | 'mknod'
>;

const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;
const AT_EACCESS = 0x200;
const AT_REMOVEDIR = 0x200;
const PATH_MAX = 4096;

export function treeCalls(root: Root, library: Library): TreeCalls {
  const native = library.native.bind(library);
  const checked = checkedBy(library);
  const statxCall = native('int statx(int dirfd, const char *path, int flags, uint32_t mask, void *buffer)');
  const readlinkat = native('int64_t readlinkat(int dirfd, const char *path, void *buffer, size_t size)');
  const realpath = native('void *realpath(const char *path, void *resolved)');
  const faccessat = native('int faccessat(int dirfd, const char *path, int mode, int flags)');
  const chmod = native('int chmod(const char *path, uint32_t mode)');
  const fchownat = native('int fchownat(int dirfd, const char *path, uint32_t uid, uint32_t gid, int flags)');
  const utimensat = native('int utimensat(int dirfd, const char *path, const void *times, int flags)');
  const truncate = native('int truncate(const char *path, int64_t length)');
  const mkdirat = native('int mkdirat(int dirfd, const char *path, uint32_t mode)');
  const unlinkat = native('int unlinkat(int dirfd, const char *path, int flags)');
  const symlink = native('int symlink(const char *target, const char *path)');
  const link = native('int link(const char *from, const char *to)');
  const rename = native('int rename(const char *from, const char *to)');
  const mknod = native('int mknod(const char *path, uint32_t mode, uint64_t device)');

  const statx = (dirfd: number, path: string, flags: number): Buffer => {
    const buffer = Buffer.alloc(256);
    checked(statxCall(dirfd, path, flags, STATX_BASIC_STATS | STATX_BTIME, buffer));
    return buffer;
  };
  const setTimes = (path: string, atime: number, mtime: number, flags: number): void => {
    const times = Buffer.alloc(32);
    for (const [at, time] of [
      [0, atime],
      [16, mtime],
    ] as const) {
      times.writeBigInt64LE(BigInt(Math.floor(time)), at);
      times.writeBigInt64LE(BigInt(Math.round((time % 1) * 1e9)), at + 8);
    }
    checked(utimensat(AT_FDCWD, root.toHost(path), times, flags));
  };

  return {
    stat: (path) => parseStat(statx(AT_FDCWD, root.toHost(path), 0)),
    lstat: (path) => parseStat(statx(AT_FDCWD, root.toHost(path), AT_SYMLINK_NOFOLLOW)),
    fstat: (fd) => parseStat(statx(fd, '', AT_EMPTY_PATH)),
    statx: (path) => parseStatx(statx(AT_FDCWD, root.toHost(path), AT_SYMLINK_NOFOLLOW)),
    readlink(path, bufferSize = PATH_MAX) {
      const buffer = Buffer.alloc(Math.max(bufferSize, 1));
      const length = checked(readlinkat(AT_FDCWD, root.toHost(path), buffer, bufferSize));
      return buffer.toString('utf8', 0, length);
    },
    realpath(path) {
      const buffer = Buffer.alloc(PATH_MAX);
      if (!realpath(root.toHost(path), buffer)) checked(-1);
      return root.toRecorded(buffer.toString('utf8', 0, buffer.indexOf(0)));
    },
    access: (path, mode) => void checked(faccessat(AT_FDCWD, root.toHost(path), mode, AT_EACCESS)),
    chmod: (path, mode) => void checked(chmod(root.toHost(path), mode)),
    chown: (path, uid, gid) => void checked(fchownat(AT_FDCWD, root.toHost(path), uid, gid, 0)),
    lchown: (path, uid, gid) =>
      void checked(fchownat(AT_FDCWD, root.toHost(path), uid, gid, AT_SYMLINK_NOFOLLOW)),
    utimes: (path, atime, mtime) => setTimes(path, atime, mtime, 0),
    lutimes: (path, atime, mtime) => setTimes(path, atime, mtime, AT_SYMLINK_NOFOLLOW),
    truncate: (path, length) => void checked(truncate(root.toHost(path), length)),
    mkdir: (path, mode) => void checked(mkdirat(AT_FDCWD, root.toHost(path), mode)),
    mkdirat: (dirfd, path, mode) => void checked(mkdirat(dirfd, root.toHost(path), mode)),
    rmdir: (path) => void checked(unlinkat(AT_FDCWD, root.toHost(path), AT_REMOVEDIR)),
    unlink: (path) => void checked(unlinkat(AT_FDCWD, root.toHost(path), 0)),
    symlink: (target, path) => void checked(symlink(target, root.toHost(path))),
    link: (from, to) => void checked(link(root.toHostOrTmp(from), root.toHostOrTmp(to))),
    rename: (from, to) => void checked(rename(root.toHostOrTmp(from), root.toHostOrTmp(to))),
    mknod: (path, mode, major, minor) => void checked(mknod(root.toHost(path), mode, makedev(major, minor))),
  };
}

/** struct statx, include/uapi/linux/stat.h. */
function parseStat(bytes: Buffer): SysStat {
  const time = (at: number): number => Number(bytes.readBigInt64LE(at)) + bytes.readUInt32LE(at + 8) / 1e9;
  return {
    blksize: bytes.readUInt32LE(4),
    nlink: bytes.readUInt32LE(16),
    uid: bytes.readUInt32LE(20),
    gid: bytes.readUInt32LE(24),
    mode: bytes.readUInt16LE(28),
    ino: Number(bytes.readBigUInt64LE(32)),
    size: Number(bytes.readBigUInt64LE(40)),
    blocks: Number(bytes.readBigUInt64LE(48)),
    atime: time(64),
    ctime: time(96),
    mtime: time(112),
    rdev: makedev(bytes.readUInt32LE(128), bytes.readUInt32LE(132)),
  };
}

function parseStatx(bytes: Buffer): SysStatx {
  return {
    mask: bytes.readUInt32LE(0),
    blksize: bytes.readUInt32LE(4),
    attributes: bytes.readBigUInt64LE(8),
    attributesMask: bytes.readBigUInt64LE(56),
  };
}
