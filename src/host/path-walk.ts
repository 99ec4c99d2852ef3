/**
 * Paths walked a name at a time, as the kernel's namei.c does, but with a say at each step: who else could put something
 * there? Whoever may write in a folder can swap what is in it for a link between a look and a use. So each name is opened
 * below the descriptor of the folder before it (`/proc/self/fd/N/NAME` is Node's openat(2)), never through a link, and a
 * link is followed by hand, if it is ours. What comes out is a descriptor that nobody can swap.
 *
 * Ours is what belongs to root, to the user of this process, to who called sudo(8), or to the owner of `/`, who decides
 * about everything anyway. In a user namespace that is the one number for all who are not in it, so there nobody outside is
 * told from root.
 * @module
 */

import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname, join, basename, resolve } from 'node:path';

// asm-generic/fcntl.h; Node has no name for it.
const O_PATH = 0o10000000;

/** As in linux/namei.h. */
const MAXSYMLINKS = 40;
const STICKY = 0o1000;
/** What links below /proc/PID/fd say of files that have no path, such as that of `<(...)` in a shell. */
const MAGIC = /^(pipe|socket|anon_inode):/;

/** A path that somebody else has a hand in. Its message says where and who, not what to do about it. */
export class UnsafePathError extends Error {}

export interface WalkOptions {
  /** Refuses folders on the way in which others could swap what is below. Links of others are always refused. */
  ours?: boolean;
  /** Refuses every link. */
  noLinks?: boolean;
  /** Mode of folders that are made where there is nothing, also the last. */
  make?: number;
}

/** Where a path led. */
export interface Place {
  /** Its true name: absolute, without links. */
  path: string;
  /** The last name of it; `.` for the root. */
  name: string;
  /** Descriptor (O_PATH) of the folder that it is in. */
  dir: number;
  /** What is there, with a descriptor (O_PATH) of it; undefined when there is nothing. */
  node: { fd: number; stat: Stats } | undefined;
}

/** The path of something open, for calls that take a path. */
export const pathOfFd = (fd: number, name?: string): string =>
  name === undefined ? `/proc/self/fd/${fd}` : `/proc/self/fd/${fd}/${name}`;

/** Opens nothing but the name itself: not what a link leads to, and what is there is not asked anything. */
export const openPath = (path: string): number => openSync(path, O_PATH | constants.O_NOFOLLOW);

function sudoId(name: 'SUDO_UID' | 'SUDO_GID'): number[] {
  const text = process.env[name];
  return process.geteuid?.() === 0 && text !== undefined && /^\d{1,10}$/.test(text) ? [Number(text)] : [];
}

/** Whether a user can do no more harm than who runs this, or is the same. */
export function isOurs(uid: number): boolean {
  return [0, process.geteuid?.(), statSync('/').uid, ...sudoId('SUDO_UID')].includes(uid);
}

/** Why others could swap what is in a folder; undefined when they cannot. Of a sticky one they can swap only what is theirs. */
function fault({ uid, gid, mode }: Stats): string | undefined {
  if (!isOurs(uid)) return `belongs to uid ${uid}, who could put something else there`;
  if (mode & STICKY) return undefined;
  if (mode & 0o002) return 'everybody may write there, and could put something else there';
  const groups = [0, process.getegid?.(), statSync('/').gid, ...sudoId('SUDO_GID')];
  if (mode & 0o020 && !groups.includes(gid))
    return `group ${gid} may write there, and could put something else there`;
  return undefined;
}

const errno = (code: string, path: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: ${path}`), { code, path });

/**
 * Walks a path. Who calls closes both descriptors, see {@link closePlace}.
 * @throws UnsafePathError for what others have a hand in; ENOENT for a folder on the way that is not there, ENOTDIR, ELOOP,
 *   EACCES
 */
export function walk(path: string, options: WalkOptions = {}): Place {
  const left = resolve(path).split('/').reverse();
  const open: number[] = [];
  const names: string[] = [];
  let links = 0;
  const opened = (at: string): number => {
    const fd = openPath(at);
    open.push(fd);
    return fd;
  };
  const pathOf = (...more: string[]) => `/${[...names, ...more].join('/')}`;
  const place = (dir: number, name: string, node: Place['node']): Place => {
    for (const fd of open.splice(0)) if (fd !== dir && fd !== node?.fd) closeSync(fd);
    return { path: name === '.' ? pathOf() : pathOf(name), name, dir, node };
  };
  try {
    let dir = opened('/');
    while (left.length > 0) {
      const name = left.pop()!;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        names.pop();
        dir = opened(pathOfFd(dir, '..'));
        continue;
      }
      const isLast = left.every((each) => each === '' || each === '.');
      let fd: number;
      try {
        fd = opened(pathOfFd(dir, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        if (options.make !== undefined) {
          makeDir(pathOfFd(dir, name), options.make);
          left.push(name);
          continue;
        }
        if (isLast) return place(dir, name, undefined);
        throw errno('ENOENT', pathOf(name));
      }
      const stat = fstatSync(fd);
      if (stat.isSymbolicLink()) {
        if (options.noLinks) throw new UnsafePathError(`${pathOf(name)}: a link where there was none`);
        if (!isOurs(stat.uid)) throw new UnsafePathError(`${pathOf(name)}: a link of uid ${stat.uid}`);
        if (++links > MAXSYMLINKS) throw errno('ELOOP', path);
        const target = readlinkSync(pathOfFd(dir, name));
        if (isLast && MAGIC.test(target) && stat.dev === statSync('/proc').dev) {
          const magic = openSync(pathOfFd(dir, name), O_PATH);
          open.push(magic);
          return place(dir, name, { fd: magic, stat: fstatSync(magic) });
        }
        if (target.startsWith('/')) {
          names.length = 0;
          dir = opened('/');
        }
        left.push(...target.split('/').reverse());
        continue;
      }
      if (isLast) return place(dir, name, { fd, stat });
      if (!stat.isDirectory()) throw errno('ENOTDIR', pathOf(name));
      const why = options.ours ? fault(stat) : undefined;
      names.push(name);
      if (why !== undefined) throw new UnsafePathError(`${pathOf()}: ${why}`);
      dir = fd;
    }
    const fd = opened(pathOfFd(dir, '.'));
    return place(dir, '.', { fd, stat: fstatSync(fd) });
  } catch (error) {
    for (const fd of open) closeSync(fd);
    throw error;
  }
}

function makeDir(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    // Somebody was faster; whose it is will be seen.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

export function closePlace({ dir, node }: Place): void {
  closeSync(dir);
  if (node) closeSync(node.fd);
}

/**
 * The true name of a path, also of one that is not there yet.
 * @throws as {@link walk}
 */
export function trueName(path: string, options: WalkOptions = {}): string {
  const whole = resolve(path);
  try {
    const place = walk(whole, options);
    closePlace(place);
    return place.path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return join(trueName(dirname(whole), options), basename(whole));
  }
}
