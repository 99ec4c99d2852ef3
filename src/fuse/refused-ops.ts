/**
 * What sysfs refuses. Its tree grows and shrinks by the model alone, so every system call that would change it
 * fails, each in the way the VFS reports an operation that the file system does not have: no create is EACCES,
 * no mkdir, link or rename is EPERM, no fallocate or O_TMPFILE is EOPNOTSUPP, no fsync of a directory EINVAL.
 *
 * An operation that is left out here, as FLUSH, is answered ENOSYS, and the kernel does not ask again.
 * @module
 */

import { S_IFMT, S_IFREG } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import { decodeMknodIn, decodeRename2In, FuseOp } from '../uapi/fuse.js';
import type { Operation, Operations } from './operation.js';

function refuse(errno: number): Operation {
  return () => {
    throw new KernelError(errno);
  };
}

export const refusedOps: Operations = {
  [FuseOp.CREATE]: refuse(Errno.EACCES),
  [FuseOp.MKNOD](_mount, request) {
    const { mode } = decodeMknodIn(request.message);
    // mknod(2) of a regular file is a create.
    throw new KernelError((mode & S_IFMT) === S_IFREG ? Errno.EACCES : Errno.EPERM);
  },
  [FuseOp.MKDIR]: refuse(Errno.EPERM),
  [FuseOp.UNLINK]: refuse(Errno.EPERM),
  [FuseOp.RMDIR]: refuse(Errno.EPERM),
  [FuseOp.SYMLINK]: refuse(Errno.EPERM),
  [FuseOp.LINK]: refuse(Errno.EPERM),
  [FuseOp.RENAME]: refuse(Errno.EPERM),
  [FuseOp.RENAME2](_mount, request) {
    throw new KernelError(decodeRename2In(request.message).flags ? Errno.EINVAL : Errno.EPERM);
  },
  [FuseOp.TMPFILE]: refuse(Errno.EOPNOTSUPP),
  [FuseOp.FALLOCATE]: refuse(Errno.EOPNOTSUPP),
  [FuseOp.FSYNCDIR]: refuse(Errno.EINVAL),
  [FuseOp.COPY_FILE_RANGE]: refuse(Errno.EXDEV),
  [FuseOp.IOCTL]: refuse(Errno.ENOTTY),
};
