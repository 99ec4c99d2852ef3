/**
 * Extended attributes of a kernfs node (fs/kernfs/inode.c): `trusted.` and `security.` are kept with the node,
 * `user.` can be asked for but not set (only a root that allows it has user attributes; sysfs does not),
 * everything else is not supported.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

function namespaceOf(name: string): 'kept' | 'user' | undefined {
  if (/^(trusted|security)\../.test(name)) return 'kept';
  if (/^user\../.test(name)) return 'user';
  return undefined;
}

export class Xattrs {
  /** Shared by all nodes that nobody has given an extended attribute. */
  static readonly none = new Xattrs();

  readonly #values = new Map<string, Uint8Array>();

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /**
   * @throws EOPNOTSUPP for a namespace sysfs does not have
   * @throws ENODATA when there is no such attribute
   */
  get(name: string): Uint8Array {
    if (!namespaceOf(name)) throw new KernelError(Errno.EOPNOTSUPP);
    const value = this.#values.get(name);
    if (!value) throw new KernelError(Errno.ENODATA);
    return value;
  }

  /**
   * @param flags XATTR_CREATE 1, XATTR_REPLACE 2
   * @throws EOPNOTSUPP outside `trusted.` and `security.`
   * @throws EEXIST, ENODATA as the flags ask
   */
  set(name: string, value: Uint8Array, flags = 0): void {
    Xattrs.assertSettable(name);
    if (flags & XATTR_CREATE && this.#values.has(name)) throw new KernelError(Errno.EEXIST);
    if (flags & XATTR_REPLACE && !this.#values.has(name)) throw new KernelError(Errno.ENODATA);
    this.#values.set(name, Uint8Array.from(value));
  }

  /**
   * @throws EOPNOTSUPP outside `trusted.` and `security.`
   * @throws ENODATA when there is no such attribute
   */
  remove(name: string): void {
    Xattrs.assertSettable(name);
    if (!this.#values.delete(name)) throw new KernelError(Errno.ENODATA);
  }

  static assertSettable(name: string): void {
    if (namespaceOf(name) !== 'kept') throw new KernelError(Errno.EOPNOTSUPP);
  }

  list(): string[] {
    return [...this.#values.keys()];
  }
}
