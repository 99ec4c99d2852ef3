/**
 * Extended attributes.
 * @module
 */

import type { Sys } from '../sys.js';
import { checkedBy, type Library, type Root } from './bindings.js';

type XattrCalls = Pick<Sys, 'getxattr' | 'setxattr' | 'listxattr' | 'removexattr'>;

const SIZE = 65536;

export function xattrCalls(root: Root, library: Library): XattrCalls {
  const native = library.native.bind(library);
  const checked = checkedBy(library);
  const get = ['getxattr', 'lgetxattr'].map((name) =>
    native(`int64_t ${name}(const char *path, const char *name, void *value, size_t size)`),
  );
  const set = ['setxattr', 'lsetxattr'].map((name) =>
    native(`int ${name}(const char *path, const char *name, const void *value, size_t size, int flags)`),
  );
  const list = ['listxattr', 'llistxattr'].map((name) =>
    native(`int64_t ${name}(const char *path, void *names, size_t size)`),
  );
  const remove = native('int removexattr(const char *path, const char *name)');
  const variant = (follow: boolean): 0 | 1 => (follow ? 0 : 1);

  return {
    getxattr(path, name, follow = true) {
      const buffer = Buffer.alloc(SIZE);
      return buffer.subarray(0, checked(get[variant(follow)]!(root.toHost(path), name, buffer, SIZE)));
    },
    setxattr: (path, name, value, follow = true) =>
      void checked(set[variant(follow)]!(root.toHost(path), name, value, value.length, 0)),
    listxattr(path, follow = true) {
      const buffer = Buffer.alloc(SIZE);
      const length = checked(list[variant(follow)]!(root.toHost(path), buffer, SIZE));
      return buffer.toString('utf8', 0, length).split('\0').filter(Boolean);
    },
    removexattr: (path, name) => void checked(remove(root.toHost(path), name)),
  };
}
