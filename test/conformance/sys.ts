/**
 * The system calls that recordings are made of. One replayer (`steps.ts`) runs over this interface; behind it
 * stands either the emulated process of a Machine (`process.ts`) or real system calls on a mount (`libc.ts`).
 *
 * Every method throws a {@link SysError} with the errno the call failed with. Paths are those of the
 * recordings and begin with /sys or /dev. A method that an implementation cannot offer at all throws
 * {@link Unsupported}.
 * @module
 */

import type { Sleeps } from '../../src/lib/sleep.js';

export class SysError extends Error {
  /** @param errno the number, as include/uapi/asm-generic/errno*.h has it */
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

export class Unsupported extends Error {}

export interface SysStat {
  mode: number;
  uid: number;
  gid: number;
  size: number;
  nlink: number;
  blksize: number;
  blocks: number;
  ino: number;
  rdev: number;
  /** Seconds, with a fraction. */
  atime: number;
  mtime: number;
  ctime: number;
}

export interface SysDirent {
  name: string;
  /** DT_DIR 4, DT_REG 8, DT_LNK 10, DT_CHR 2. */
  type: number;
  /** d_off: the position after this entry. */
  off: number;
}

/** Result of a read: the bytes, or a promise where the caller has to wait. */
export interface Sys {
  open(path: string, flags: number, mode?: number): number;
  openat(dirfd: number, path: string, flags: number, mode?: number): number;
  close(fd: number): void;
  read(fd: number, length: number): Uint8Array;
  pread(fd: number, length: number, offset: number): Uint8Array;
  readv(fd: number, sizes: number[]): Uint8Array[] & { total?: number };
  write(fd: number, data: Uint8Array): Sleeps<number>;
  pwrite(fd: number, data: Uint8Array, offset: number): Sleeps<number>;
  writev(fd: number, pieces: Uint8Array[]): Sleeps<number>;
  /** whence: 0 SET, 1 CUR, 2 END, 3 DATA, 4 HOLE. */
  lseek(fd: number, offset: number, whence: number): number;
  /** One getdents64 call with a buffer of that many bytes; an empty list at the end. */
  getdents64(fd: number, bufferSize: number): SysDirent[];
  stat(path: string): SysStat;
  lstat(path: string): SysStat;
  fstat(fd: number): SysStat;
  readlink(path: string, bufferSize?: number): string;
  realpath(path: string): string;
  /** mode: 0 F_OK, or an or of R_OK 4, W_OK 2, X_OK 1. */
  access(path: string, mode: number): void;
  chmod(path: string, mode: number): void;
  fchmod(fd: number, mode: number): void;
  chown(path: string, uid: number, gid: number): void;
  lchown(path: string, uid: number, gid: number): void;
  /** Times in seconds. */
  utimes(path: string, atime: number, mtime: number): void;
  lutimes(path: string, atime: number, mtime: number): void;
  truncate(path: string, length: number): void;
  ftruncate(fd: number, length: number): void;
  mkdir(path: string, mode: number): void;
  mkdirat(dirfd: number, path: string, mode: number): void;
  rmdir(path: string): void;
  unlink(path: string): void;
  symlink(target: string, path: string): void;
  link(from: string, to: string): void;
  rename(from: string, to: string): void;
  /** mode carries the file type, S_IFREG 0o100000, S_IFCHR 0o020000, S_IFIFO 0o010000. */
  mknod(path: string, mode: number, major: number, minor: number): void;
  getxattr(path: string, name: string, follow?: boolean): Uint8Array;
  setxattr(path: string, name: string, value: Uint8Array, follow?: boolean): void;
  listxattr(path: string, follow?: boolean): string[];
  removexattr(path: string, name: string): void;
  fsync(fd: number): void;
  fdatasync(fd: number): void;
  /** poll(2) with all events asked for and no wait: the returned revents. */
  poll(fd: number): number;
  fcntlGetfl(fd: number): number;
  /** Runs `body` with effective uid and gid `uid`, as the recordings' `as_uid` steps did. */
  asUser<T>(uid: number, body: () => T): T;
}
