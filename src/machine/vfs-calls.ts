/**
 * What the kernel answers for an open file of sysfs without asking sysfs (fs/ioctl.c, fs/fcntl.c, fs/locks.c, fs/open.c,
 * mm/mmap.c): sysfs has no operation for any of these, so the answer follows from the kind of file and how it was
 * opened.
 * @module
 */

import { isDir } from '../kernfs/dir.js';
import { Errno, KernelError } from '../lib/errno.js';
import { O_DIRECT, type OpenFile } from './open-file.js';

const FIBMAP = 0x01;
const FIGETBSZ = 0x02;
const FIONREAD = 0x541b;
const FIONBIO = 0x5421;
const FIONCLEX = 0x5450;
const FIOCLEX = 0x5451;
const FIOASYNC = 0x5452;
const FIOQSIZE = 0x5460;
const FS_IOC_FIEMAP = 0xc020660b;
const FICLONE = 0x40049409;

const F_SETFL = 4;
const F_SETLK = 6;
const F_SETLEASE = 1024;
const F_NOTIFY = 1026;
const F_GETPIPE_SZ = 1032;

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/**
 * A request on a file that is no device.
 * @throws ENOTTY for what only a device would know; EINVAL, EOPNOTSUPP, EBADF for what needs blocks on a disk
 */
export function vfsIoctl(file: OpenFile, request: number): number {
  switch (request >>> 0) {
    case FIOCLEX:
    case FIONCLEX:
    case FIONBIO:
    case FIOASYNC:
    case FIOQSIZE:
    case FIGETBSZ:
      return 0;
    case FIONREAD:
      return isDir(file.node) ? fail(Errno.ENOTTY) : 0;
    case FIBMAP:
      return fail(isDir(file.node) ? Errno.ENOTTY : Errno.EINVAL);
    case FS_IOC_FIEMAP:
      return fail(Errno.EOPNOTSUPP);
    case FICLONE:
      return fail(Errno.EBADF);
    default:
      return fail(Errno.ENOTTY);
  }
}

/**
 * Memory maps are refused.
 * @throws EACCES when the file is not open for reading, or a shared map is to be written and it is not for writing
 * @throws ENODEV otherwise
 */
export function vfsMmap(file: OpenFile, prot: number, flags: number): never {
  if (prot & PROT_WRITE && flags === MAP_SHARED && !file.writable) fail(Errno.EACCES);
  if (prot & (PROT_READ | PROT_WRITE) && !file.readable) fail(Errno.EACCES);
  return fail(Errno.ENODEV);
}

/**
 * A write lock needs a file open for writing, a read lease one that nobody may write; directories take neither.
 * @throws EBADF, EAGAIN, EINVAL, ENOTDIR as fcntl(2) says
 */
export function vfsFcntl(file: OpenFile, command: number, argument: number): number {
  const directory = isDir(file.node);
  switch (command) {
    case F_SETLK:
      return file.writable ? 0 : fail(Errno.EBADF);
    case F_SETLEASE:
      if (directory) return fail(Errno.EINVAL);
      return file.writable ? fail(Errno.EAGAIN) : 0;
    case F_NOTIFY:
      return argument === 0 || directory ? 0 : fail(Errno.ENOTDIR);
    case F_GETPIPE_SZ:
      return fail(Errno.EBADF);
    case F_SETFL:
      return argument & O_DIRECT ? fail(Errno.EINVAL) : 0;
    default:
      return fail(Errno.EINVAL);
  }
}

/** @throws EBADF when the file is not open for writing; EOPNOTSUPP otherwise */
export function vfsFallocate(file: OpenFile): never {
  return fail(file.writable ? Errno.EOPNOTSUPP : Errno.EBADF);
}
