/**
 * Open files: open, read, write, seek and their kin.
 * @module
 */

import { write } from 'node:fs';
import type { Sys, SysDirent } from '../sys.js';
import { SysError } from '../sys.js';
import { AT_FDCWD, checkedBy, type Library, type Root } from './bindings.js';

type FileCalls = Pick<
  Sys,
  | 'open'
  | 'openat'
  | 'close'
  | 'read'
  | 'pread'
  | 'readv'
  | 'write'
  | 'pwrite'
  | 'writev'
  | 'lseek'
  | 'getdents64'
  | 'writeLater'
  | 'dup'
  | 'fcntlGetfl'
  | 'fcntlGetfd'
  | 'fsync'
  | 'fdatasync'
  | 'ftruncate'
  | 'fchmod'
>;

const F_GETFD = 1;
const F_GETFL = 3;
const O_CLOEXEC = 0o2000000;

export function fileCalls(root: Root, library: Library): FileCalls {
  const native = library.native.bind(library);
  const checked = checkedBy(library);
  const openat = native('int openat(int dirfd, const char *path, int flags, uint32_t mode)');
  const close = native('int close(int fd)');
  const read = native('int64_t read(int fd, void *buffer, size_t length)');
  const pread = native('int64_t pread(int fd, void *buffer, size_t length, int64_t offset)');
  const readv = native('int64_t readv(int fd, const iovec *pieces, int count)');
  const writeCall = native('int64_t write(int fd, const void *data, size_t length)');
  const pwrite = native('int64_t pwrite(int fd, const void *data, size_t length, int64_t offset)');
  const writev = native('int64_t writev(int fd, const iovec *pieces, int count)');
  const lseek = native('int64_t lseek(int fd, int64_t offset, int whence)');
  const getdents64 = native('int64_t getdents64(int fd, void *buffer, size_t length)');
  const dup = native('int dup(int fd)');
  const fcntl = native('int fcntl(int fd, int command, int64_t argument)');
  const fsync = native('int fsync(int fd)');
  const fdatasync = native('int fdatasync(int fd)');
  const ftruncate = native('int ftruncate(int fd, int64_t length)');
  const fchmod = native('int fchmod(int fd, uint32_t mode)');

  const open = (dirfd: number, path: string, flags: number, mode: number): number =>
    checked(openat(dirfd, path, flags | O_CLOEXEC, mode));
  const filled = (buffer: Buffer, length: number | bigint): Buffer => buffer.subarray(0, checked(length));
  const vector = (pieces: readonly Uint8Array[]) => pieces.map((base) => ({ base, length: base.length }));

  return {
    open: (path, flags, mode = 0o777) => open(AT_FDCWD, root.toHost(path), flags, mode),
    openat: (dirfd, path, flags, mode = 0o777) => open(dirfd, root.toHost(path), flags, mode),
    close: (fd) => void checked(close(fd)),
    read(fd, length) {
      const buffer = Buffer.alloc(length);
      return filled(buffer, read(fd, buffer, length));
    },
    pread(fd, length, offset) {
      const buffer = Buffer.alloc(length);
      return filled(buffer, pread(fd, buffer, length, offset));
    },
    readv(fd, sizes) {
      const pieces: Uint8Array[] & { total?: number } = sizes.map((size) => Buffer.alloc(size));
      pieces.total = checked(readv(fd, vector(pieces), pieces.length));
      return pieces;
    },
    write: (fd, data) => checked(writeCall(fd, data, data.length)),
    pwrite: (fd, data, offset) => checked(pwrite(fd, data, data.length, offset)),
    writev: (fd, pieces) => checked(writev(fd, vector(pieces), pieces.length)),
    lseek: (fd, offset, whence) => checked(lseek(fd, offset, whence)),
    getdents64(fd, bufferSize) {
      const buffer = Buffer.alloc(bufferSize);
      return parseDirents(filled(buffer, getdents64(fd, buffer, bufferSize)));
    },
    writeLater: (fd, data) =>
      new Promise((resolve, reject) => {
        write(fd, data, (error, written) => {
          if (error) reject(new SysError(-(error.errno ?? 0)));
          else resolve(written);
        });
      }),
    dup: (fd) => checked(dup(fd)),
    fcntlGetfl: (fd) => checked(fcntl(fd, F_GETFL, 0)),
    fcntlGetfd: (fd) => checked(fcntl(fd, F_GETFD, 0)),
    fsync: (fd) => void checked(fsync(fd)),
    fdatasync: (fd) => void checked(fdatasync(fd)),
    ftruncate: (fd, length) => void checked(ftruncate(fd, length)),
    fchmod: (fd, mode) => void checked(fchmod(fd, mode)),
  };
}

/** struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name. */
function parseDirents(bytes: Buffer): SysDirent[] {
  const entries: SysDirent[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt16LE(at + 16)) {
    const end = bytes.indexOf(0, at + 19);
    entries.push({
      name: bytes.toString('utf8', at + 19, end),
      type: bytes.readUInt8(at + 18),
      off: Number(bytes.readBigInt64LE(at + 8)),
    });
  }
  return entries;
}
