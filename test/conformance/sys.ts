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

/** The writer of {@link Sys.background} was killed. */
export class Killed extends Error {
  constructor(readonly signal: number) {
    super(`killed by signal ${signal}`);
  }
}

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

/** What statfs tells, as far as it says something about the kind of file system. */
export interface SysStatfs {
  type: number;
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
  namelen: number;
  frsize: number;
  flags: number;
}

export interface SysStatx {
  mask: number;
  blksize: number;
  attributes: bigint;
  attributesMask: bigint;
}

/** One record of an inotify descriptor. `watch` is the path given to inotifyAdd. */
export interface SysInotifyEvent {
  watch: string;
  mask: number;
  name: string;
}

export interface SysMemory {
  map(length: number, address?: bigint): bigint;
  unmap(address: bigint): void;
  read(address: bigint, length: number): Buffer;
  write(address: bigint, bytes: Uint8Array): void;
}

export interface SysChild {
  /** Makes the calls of `body` in the child. */
  run<T>(body: () => T): T;
  exit(): void;
}

/** A process that makes one write, and waits where that waits. */
export interface SysBackground {
  result: Promise<number>;
  kill(signal: number): void;
  /** As in /proc/PID/status. */
  state(): string;
}

/**
 * The calls a recording may hold. The second half is optional: what the VFS does above any file system is
 * there over real system calls only.
 */
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
  /** FD_CLOEXEC 1 */
  fcntlGetfd(fd: number): number;
  /** Runs `body` with effective uid and gid `uid`, as the recordings' `as_uid` steps did. */
  asUser<T>(uid: number, body: () => T): T;

  /** A write that leaves the caller free: the way to have several at once, or one that blocks. */
  writeLater?(fd: number, data: Uint8Array): Promise<number>;
  /** The same in a process of its own, which has no other file open. */
  background?(fd: number, data: Uint8Array): SysBackground;
  dup?(fd: number): number;
  eventfd?(): number;
  /** The memory of the process. */
  memory?(): SysMemory;
  /** Maps a file for reading and writing, and leaves it mapped. flags: 1 SHARED, 2 PRIVATE. */
  mapFile?(fd: number, flags: number, length: number, offset: number): bigint;
  munmap?(address: bigint): void;
  /** Pages that devices hold. */
  locked?(): number;
  /** A child process, which has the same files and a copy of the memory. */
  fork?(): SysChild;
  /** A descriptor's number in the process that it belongs to, and back. */
  fdNumber?(fd: number): number;
  ownFd?(number: number): number;
  /** Path that /proc/self/fd shows. */
  fdPath?(fd: number): string;
  /** Lines of /proc/self/fdinfo. */
  fdinfo?(fd: number): string[];
  chdir?(path: string): void;
  getcwd?(): string;
  statx?(path: string): SysStatx;
  statfs?(path: string): SysStatfs;
  pathconf?(path: string, name: string): number;
  /** Maps one page and unmaps it again. prot: 1 READ, 2 WRITE; flags: 1 SHARED, 2 PRIVATE. */
  mmap?(fd: number, prot: number, flags: number): void;
  /** `argument` is a number, or the caller's memory, which the call may change. */
  ioctl?(fd: number, request: number, argument: number | bigint | Uint8Array): number;
  /** operation: LOCK_SH 1, LOCK_EX 2, LOCK_UN 8, LOCK_NB 4. */
  flock?(fd: number, operation: number): void;
  fcntl?(fd: number, command: number, argument: number | Uint8Array): number;
  fallocate?(fd: number, mode: number, offset: number, length: number): void;
  posixFallocate?(fd: number, offset: number, length: number): void;
  posixFadvise?(fd: number): void;
  syncfs?(fd: number): void;
  /** The two ends of a pipe: for reading, for writing. */
  pipe?(): [number, number];
  socketpair?(): [number, number];
  /** Opens a regular file elsewhere, which holds `data`. */
  scratch?(data: Uint8Array): number;
  splice?(from: number, to: number, length: number): number;
  sendfile?(to: number, from: number, length: number): number;
  copyFileRange?(from: number, to: number, length: number): number;
  /** Events of EPOLLIN|EPOLLPRI|EPOLLOUT that are there at once. */
  epoll?(fd: number): number[];
  /** How many of the three sets, readable, writable, exceptional, hold the descriptor at once. */
  select?(fd: number): [number, number, number];
  nameToHandleAt?(path: string): void;
  inotifyInit?(): number;
  inotifyAdd?(inotify: number, path: string, mask: number): void;
  inotifyRead?(inotify: number): SysInotifyEvent[];
}
