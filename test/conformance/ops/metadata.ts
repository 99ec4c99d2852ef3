/**
 * Operations that change inodes or names, or try to. Where a recording leaves an argument out, the value here
 * is one that the following steps agree with.
 * @module
 */

import { Errno } from '../../../src/lib/errno.js';
import { O_CREAT, O_WRONLY } from '../flags.js';
import { SysError } from '../sys.js';
import { type Operands, type Operations, pathOf } from './operation.js';

const S_IFREG = 0o100000;
const S_IFCHR = 0o020000;
const S_IFIFO = 0o010000;
const O_ACCMODE = 3;
const USER = 1000;
const LINK_TIME = 2000;
const XATTR_VALUE = Buffer.from('v');

/** The number at `index` of the positional arguments, or the one of that name, or a default. */
const number = ({ args, list }: Operands, index: number, name: string, otherwise: number): number =>
  Number(list[index] ?? args[name] ?? otherwise);
const second = ({ args, list }: Operands, name: string): string => String(list[1] ?? args[name]);
const nameOf = ({ args, list }: Operands): string => String(args.name ?? list[1] ?? 'trusted.x');

export const metadataOperations: Operations = {
  chmod: (run, operands) => run.sys.chmod(pathOf(operands), number(operands, 1, 'mode', 0)),
  chown: (run, operands) =>
    run.sys.chown(pathOf(operands), number(operands, 1, 'uid', USER), number(operands, 2, 'gid', USER)),
  lchown: (run, operands) =>
    run.sys.lchown(pathOf(operands), number(operands, 1, 'uid', USER), number(operands, 2, 'gid', USER)),
  'lchown back': (run, operands) => run.sys.lchown(pathOf(operands), 0, 0),
  /** Sets the mode that is there: the recording does not say which one. */
  fchmod(run, { args }) {
    const fd = run.fd(args.fd);
    run.sys.fchmod(fd, run.sys.fstat(fd).mode & 0o7777);
  },
  utime(run, operands) {
    const time = number(operands, 1, 't', 0);
    run.sys.utimes(pathOf(operands), time, time);
  },
  lutime: (run, operands) => run.sys.lutimes(pathOf(operands), LINK_TIME, LINK_TIME),
  truncate: (run, operands) => run.sys.truncate(pathOf(operands), number(operands, 1, 'len', 0)),
  ftruncate: (run, { args }) => run.sys.ftruncate(run.fd(args.fd), Number(args.len ?? 0)),
  fsync: (run, { args }) => run.sys.fsync(run.fd(args.fd)),
  fdatasync: (run, { args }) => run.sys.fdatasync(run.fd(args.fd)),

  getxattr: (run, operands) => run.sys.getxattr(pathOf(operands), nameOf(operands)),
  setxattr: (run, operands) => run.sys.setxattr(pathOf(operands), nameOf(operands), XATTR_VALUE),
  removexattr: (run, operands) => run.sys.removexattr(pathOf(operands), nameOf(operands)),
  listxattr: (run, operands) => run.sys.listxattr(pathOf(operands)),
  lgetxattr: (run, operands) => run.sys.getxattr(pathOf(operands), nameOf(operands), false),
  lsetxattr: (run, operands) => run.sys.setxattr(pathOf(operands), nameOf(operands), XATTR_VALUE, false),
  llistxattr: (run, operands) => run.sys.listxattr(pathOf(operands), false),

  mkdir: (run, operands) => run.sys.mkdir(pathOf(operands), number(operands, 1, 'mode', 0o777)),
  mkdirat: (run, { args }) => run.sys.mkdirat(run.fd(args.fd), String(args.path ?? 'x'), 0o777),
  rmdir: (run, operands) => run.sys.rmdir(pathOf(operands)),
  unlink: (run, operands) => run.sys.unlink(pathOf(operands)),
  symlink: (run, operands) => run.sys.symlink(String(operands.list[0] ?? 'x'), second(operands, 'path')),
  link: (run, operands) => run.sys.link(pathOf(operands), second(operands, 'to')),
  rename: (run, operands) => run.sys.rename(pathOf(operands), second(operands, 'to')),
  mkfifo: (run, operands) => run.sys.mknod(pathOf(operands), S_IFIFO | 0o666, 0, 0),
  'mknod chr': (run, operands) => run.sys.mknod(pathOf(operands), S_IFCHR | 0o666, 1, 3),
  mknod(run, operands) {
    const device = number(operands, 2, 'dev', 0);
    run.sys.mknod(pathOf(operands), number(operands, 1, 'mode', S_IFREG | 0o666), device >> 8, device & 0xff);
  },
  creat: (run, operands) => run.sys.close(run.sys.open(pathOf(operands), O_CREAT | O_WRONLY, 0o666)),

  posix_fadvise: (run, { args }) => run.call('posixFadvise')(run.fd(args.fd)),
  syncfs(run, { args }) {
    run.call('syncfs')(run.fd(args.fd));
    return 0;
  },
  /** With a mode it is the system call; without, the C library's function, which falls back to a read. */
  fallocate(run, { args }) {
    const fd = run.fd(args.fd);
    if (args.mode !== undefined) return run.call('fallocate')(fd, fallocateMode(args.mode), 0, 1);
    if (run.sys.posixFallocate) return run.sys.posixFallocate(fd, 0, 1);
    if ((run.sys.fcntlGetfl(fd) & O_ACCMODE) === 0) throw new SysError(Errno.EBADF);
    run.sys.pread(fd, 1, 0);
    throw new SysError(Errno.EOPNOTSUPP);
  },
};

const FALLOC_FL_PUNCH_KEEP = 3;

const fallocateMode = (mode: unknown): number =>
  mode === 'PUNCH|KEEP' ? FALLOC_FL_PUNCH_KEEP : Number(mode);
