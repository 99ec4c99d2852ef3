/**
 * File permissions (fs/namei.c `generic_permission`): owner, group and others by mode bits, and what root may beyond.
 * @module
 */

import { type KernfsNode, S_IFDIR } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';

export interface Credentials {
  readonly uid: number;
  readonly gid: number;
}

export const ROOT: Credentials = { uid: 0, gid: 0 };

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

/**
 * @param mask an or of MAY_READ, MAY_WRITE, MAY_EXEC
 * @throws EACCES when the mode denies any of it; root is denied only the execution of what nobody may execute
 */
export function inodePermission(node: KernfsNode, mask: number, { uid, gid }: Credentials): void {
  const { mode, uid: owner, gid: group } = node.getattr();
  const shift = uid === owner ? 6 : gid === group ? 3 : 0;
  if (((mode >> shift) & mask) === mask) return;
  if (uid === 0 && (node.type === S_IFDIR || !(mask & MAY_EXEC) || mode & 0o111)) return;
  throw new KernelError(Errno.EACCES);
}

/** @throws EPERM unless the caller owns the node or is root */
export function assertOwner(node: KernfsNode, { uid }: Credentials): void {
  if (uid !== 0 && node.getattr().uid !== uid) throw new KernelError(Errno.EPERM);
}
