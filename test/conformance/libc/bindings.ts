/**
 * The C library's system calls, called as they are: Node's own fs module hides open files, flags and errnos
 * that the recordings are about. Numbers are those of Linux on x86-64.
 *
 * A path below the recordings' /sys is turned into one below the mount, and back in what the kernel tells.
 * @module
 */

import koffi from 'koffi';
import { SysError, Unsupported } from '../sys.js';

export type Native = (...args: unknown[]) => number | bigint;

/** The C library of the process that makes the calls. */
export interface Library {
  /** A function, declared by its prototype. */
  native(prototype: string): Native;
  /** The errno of the last call that failed. */
  readonly errno: number;
}

const loaded = new Map<string, Native>();

/** A function of this process's C library. */
export function native(prototype: string): Native {
  const known = loaded.get(prototype);
  if (known) return known;
  const declared = koffi.load(null).func(prototype) as Native;
  loaded.set(prototype, declared);
  return declared;
}

/** struct iovec. */
export const iovec = koffi.struct('iovec', { base: 'void *', length: 'size_t' });

export const ownLibrary: Library = {
  native,
  get errno() {
    return koffi.errno();
  },
};

/**
 * Gives the result of a call that reports failure as -1 and errno.
 * @throws SysError with that errno
 */
export const checkedBy =
  (library: Library) =>
  (result: number | bigint): number => {
    if (result === -1 || result === -1n) throw new SysError(library.errno);
    return Number(result);
  };

/** The result of a call that returns its error number, as the posix_ family does. */
export function checkedError(result: number | bigint): void {
  if (result !== 0) throw new SysError(Number(result));
}

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_EMPTY_PATH = 0x1000;

/** Where the recordings' /sys is. */
export class Root {
  /**
   * @param directory of the mount, without a trailing slash
   * @param whole whether everything else is where it was recorded, too
   */
  constructor(
    readonly directory: string,
    readonly whole = false,
  ) {}

  /** @throws Unsupported for a path outside /sys */
  toHost(path: string): string {
    if (this.whole) return path;
    if (path === '/sys' || path.startsWith('/sys/')) return this.directory + path.slice('/sys'.length);
    if (path.startsWith('/dev/')) throw new Unsupported('a mounted sysfs has no /dev');
    if (path.startsWith('/')) throw new Unsupported(`${path} is not below /sys`);
    return path;
  }

  /** The same for the other end of a rename or a link, which may lie on another file system: below /tmp. */
  toHostOrTmp(path: string): string {
    return path.startsWith('/tmp/') ? path : this.toHost(path);
  }

  toRecorded(path: string): string {
    if (path !== this.directory && !path.startsWith(`${this.directory}/`)) return path;
    return `/sys${path.slice(this.directory.length)}`;
  }
}
