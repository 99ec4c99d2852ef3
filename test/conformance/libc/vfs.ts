/**
 * What the VFS offers on any open file: mmap, ioctl, locks, leases, splice and the like.
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sys } from '../sys.js';
import { AT_FDCWD, checkedBy, checkedError, type Library } from './bindings.js';

type VfsCalls = Pick<
  Sys,
  | 'mmap'
  | 'ioctl'
  | 'flock'
  | 'fcntl'
  | 'fallocate'
  | 'posixFallocate'
  | 'posixFadvise'
  | 'syncfs'
  | 'pipe'
  | 'socketpair'
  | 'scratch'
  | 'splice'
  | 'sendfile'
  | 'copyFileRange'
>;

const PAGE_SIZE = 4096;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const O_RDWR = 2;

export function vfsCalls(library: Library): VfsCalls {
  const native = library.native.bind(library);
  const checked = checkedBy(library);
  const mmap = native(
    'uintptr_t mmap(uintptr_t at, size_t length, int prot, int flags, int fd, int64_t offset)',
  );
  const munmap = native('int munmap(uintptr_t at, size_t length)');
  const ioctlNumber = native('int ioctl(int fd, uint64_t request, int64_t argument)');
  const ioctlBytes = native('int ioctl(int fd, uint64_t request, void *argument)');
  const flock = native('int flock(int fd, int operation)');
  const fcntlNumber = native('int fcntl(int fd, int command, int64_t argument)');
  const fcntlBytes = native('int fcntl(int fd, int command, void *argument)');
  const fallocate = native('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
  const posixFallocate = native('int posix_fallocate(int fd, int64_t offset, int64_t length)');
  const posixFadvise = native('int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)');
  const syncfs = native('int syncfs(int fd)');
  const pipe = native('int pipe(void *fds)');
  const socketpair = native('int socketpair(int domain, int type, int protocol, void *fds)');
  const splice = native(
    'int64_t splice(int from, void *in, int to, void *out, size_t length, uint32_t flags)',
  );
  const sendfile = native('int64_t sendfile(int to, int from, void *offset, size_t length)');
  const copyFileRange = native(
    'int64_t copy_file_range(int from, void *in, int to, void *out, size_t length, uint32_t flags)',
  );
  const openat = native('int openat(int dirfd, const char *path, int flags, uint32_t mode)');
  const pair = (call: (fds: Buffer) => number | bigint): [number, number] => {
    const fds = Buffer.alloc(8);
    checked(call(fds));
    return [fds.readInt32LE(0), fds.readInt32LE(4)];
  };

  return {
    mmap(fd, prot, flags) {
      const at = mmap(0, PAGE_SIZE, prot, flags, fd, 0);
      if (BigInt(at) === MAP_FAILED) checked(-1);
      munmap(at, PAGE_SIZE);
    },
    ioctl: (fd, request, argument) =>
      checked(
        argument instanceof Uint8Array
          ? ioctlBytes(fd, request, argument)
          : ioctlNumber(fd, request, argument),
      ),
    flock: (fd, operation) => void checked(flock(fd, operation)),
    fcntl: (fd, command, argument) =>
      checked(
        typeof argument === 'number' ? fcntlNumber(fd, command, argument) : fcntlBytes(fd, command, argument),
      ),
    fallocate: (fd, mode, offset, length) => void checked(fallocate(fd, mode, offset, length)),
    posixFallocate: (fd, offset, length) => checkedError(posixFallocate(fd, offset, length)),
    posixFadvise: (fd) => checkedError(posixFadvise(fd, 0, 0, 0)),
    syncfs: (fd) => void checked(syncfs(fd)),
    pipe: () => pair((fds) => pipe(fds)),
    socketpair: () => pair((fds) => socketpair(AF_UNIX, SOCK_STREAM, 0, fds)),
    scratch(data) {
      const directory = mkdtempSync(join(tmpdir(), 'conformance-'));
      const path = join(directory, 'scratch');
      try {
        writeFileSync(path, data);
        return checked(openat(AT_FDCWD, path, O_RDWR, 0));
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
    splice: (from, to, length) => checked(splice(from, null, to, null, length, 0)),
    sendfile: (to, from, length) => checked(sendfile(to, from, null, length)),
    copyFileRange: (from, to, length) => checked(copyFileRange(from, null, to, null, length, 0)),
  };
}
