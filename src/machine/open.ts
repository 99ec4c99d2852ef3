/**
 * open(2) (fs/namei.c `path_openat`, `do_open`, fs/open.c): the checks in the order in which the kernel makes them.
 * @module
 */

import { DeviceNode } from '../base/devtmpfs.js';
import { isDir, type KernfsDir } from '../kernfs/dir.js';
import { openFileNow } from '../kernfs/fault.js';
import { KernfsFile, O_ACCMODE } from '../kernfs/file.js';
import { KernfsLink } from '../kernfs/link.js';
import type { KernfsNode } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { Namespace } from './namei.js';
import {
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_LARGEFILE,
  O_NOFOLLOW,
  O_PATH,
  O_TMPFILE,
  O_TRUNC,
  OpenFile,
} from './open-file.js';
import { type Credentials, inodePermission, MAY_EXEC, MAY_READ, MAY_WRITE } from './permission.js';

/**
 * Opens a path.
 * @param openDevice what opens a character device
 * @param start directory that a relative path begins in
 * @throws the errno that open(2) gives
 */
export function openPath(
  namespace: Namespace,
  path: string,
  flags: number,
  credentials: Credentials,
  openDevice: (node: DeviceNode, flags: number) => OpenFile,
  start?: KernfsDir,
): OpenFile {
  // With O_PATH nothing but these flags counts.
  if (flags & O_PATH) flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  if ((flags & O_TMPFILE) === O_TMPFILE) return openTemporary(namespace, path, credentials, start);
  if (flags & O_CREAT && flags & O_DIRECTORY) throw new KernelError(Errno.EINVAL);

  const node =
    flags & O_CREAT
      ? lookupForCreate(namespace, path, flags, credentials, start)
      : namespace.lookup(path, credentials, !(flags & O_NOFOLLOW), start);
  if (flags & O_DIRECTORY && !isDir(node)) throw new KernelError(Errno.ENOTDIR);
  if (flags & O_PATH) return new OpenFile(node, flags);
  if (node instanceof KernfsLink) throw new KernelError(Errno.ELOOP);
  if (isDir(node) && flags & O_CREAT) throw new KernelError(Errno.EISDIR);

  mayOpen(node, flags, credentials);
  if (flags & O_DIRECT) throw new KernelError(Errno.EINVAL);
  // The superfluous bits of creation are not kept, as F_GETFL shows.
  const kept = (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)) | O_LARGEFILE;
  if (isDir(node)) return new OpenFile(node, kept);
  if (node instanceof DeviceNode) return openDevice(node, kept);
  if (!(node instanceof KernfsFile)) throw new KernelError(Errno.ENXIO);
  const file = new OpenFile(node, kept, openFileNow(node, flags));
  if (flags & O_TRUNC) node.setattr({ size: 0 });
  return file;
}

function mayOpen(node: KernfsNode, flags: number, credentials: Credentials): void {
  const access = flags & O_ACCMODE;
  let mask = [MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE][access]!;
  if (flags & O_TRUNC) mask |= MAY_WRITE;
  if (isDir(node) && mask & MAY_WRITE) throw new KernelError(Errno.EISDIR);
  inodePermission(node, mask, credentials);
}

/** With O_CREAT a missing last component is made, which sysfs refuses to everybody. */
function lookupForCreate(
  namespace: Namespace,
  path: string,
  flags: number,
  credentials: Credentials,
  start?: KernfsDir,
): KernfsNode {
  const { dir, name, trailingSlash } = namespace.parentOf(path, credentials, start);
  if (trailingSlash || name === '' || name === '.' || name === '..') throw new KernelError(Errno.EISDIR);
  inodePermission(dir, MAY_EXEC, credentials);
  if (!dir.has(name)) throw new KernelError(dir.removed ? Errno.ENOENT : Errno.EACCES);
  if (flags & O_EXCL) throw new KernelError(Errno.EEXIST);
  const node = namespace.step(dir, name, credentials);
  if (!(node instanceof KernfsLink) || flags & O_NOFOLLOW) return node;
  return lookupForCreate(namespace, node.readlink(), flags, credentials, dir);
}

function openTemporary(
  namespace: Namespace,
  path: string,
  credentials: Credentials,
  start?: KernfsDir,
): never {
  const node = namespace.lookup(path, credentials, true, start);
  if (!isDir(node)) throw new KernelError(Errno.ENOTDIR);
  inodePermission(node, MAY_WRITE | MAY_EXEC, credentials);
  throw new KernelError(Errno.EOPNOTSUPP);
}
