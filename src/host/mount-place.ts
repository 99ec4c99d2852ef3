/**
 * A directory to mount at, from the look at it to the mount: held open, so that what is put in its place meanwhile is not
 * what is covered. Whoever else could take the directory away later would take away the tree with it, or have it taken
 * for another; so it is refused with the folders above it.
 * @module
 */

import { closeSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type MountEntry, mountAt, mounts } from './mountinfo.js';
import {
  closePlace,
  isOurs,
  openPath,
  pathOfFd,
  type Place,
  trueName,
  UnsafePathError,
  walk,
} from './path-walk.js';

/** Where mount.sh mounts, too. Neither a record nor a place of `mdevfs run` has this name (record.ts, namespace-script.ts). */
const TREE = '/run/mdevfs/tree';

const wayOut = () =>
  `choose a directory that nobody else can replace, such as ${process.geteuid?.() === 0 ? TREE : 'one in your home'}`;

/** What goes wrong here is told in one line. */
function told<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw error instanceof UnsafePathError ? new Error(`${error.message}; ${wayOut()}`) : error;
  }
}

/**
 * The true name of a directory to mount at or to unmount. The last name is not looked at when something is mounted there,
 * since a mount without a daemon cannot even be looked at. Unlike `canonical`, it follows no link of others.
 * @throws Error of one line for such a link
 */
export function mountName(dir: string): string {
  const path = resolve(dir);
  if (path === '/') return path;
  try {
    const unfollowed = join(trueName(dirname(path)), basename(path));
    return mountAt(unfollowed) ? unfollowed : trueName(path);
  } catch (error) {
    if (error instanceof UnsafePathError) throw new Error(`${error.message}; give the directory itself`);
    return path;
  }
}

/**
 * Opens an empty directory of ours, in which nobody else has a hand.
 * @param dir its true name
 * @param make whether to make it, and those above it, where they are missing
 * @throws Error of one line with what is wrong and the way out
 */
export function openMountPlace(dir: string, make = false): Place {
  return told(() => {
    if (mountAt(resolve(dir)))
      throw new Error(`${dir}: something is mounted there; choose another directory`);
    const place = walk(dir, { ours: true, noLinks: true, ...(make && { make: 0o755 }) });
    try {
      check(dir, place);
      return place;
    } catch (error) {
      closePlace(place);
      throw error;
    }
  });
}

function check(dir: string, { path, node }: Place): void {
  if (!node) throw new Error(`${dir}: no such directory`);
  if (!node.stat.isDirectory()) throw new Error(`${path}: not a directory; choose an empty directory`);
  if (!isOurs(node.stat.uid))
    throw new UnsafePathError(`${path}: belongs to uid ${node.stat.uid}, who could put something else there`);
  const [first] = readdirSync(pathOfFd(node.fd));
  if (first !== undefined) throw new Error(`${path}: not empty (${first}, ...); choose an empty directory`);
}

/** The mount that something open is in (proc_pid_fdinfo(5)). */
function mountIdOf(fd: number): number {
  return Number(/^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]);
}

/** What was mounted on a directory that was opened before, wherever that is by now. */
export function mountOn({ node }: Place): MountEntry | undefined {
  const { fd } = node!;
  const [dir, parent] = [readlinkSync(pathOfFd(fd)), mountIdOf(fd)];
  return mounts().findLast((mount) => mount.parent === parent && mount.dir === dir);
}

/**
 * Opens the folder that a mount is in, and makes sure that the mount is there. What is opened does not keep the mount busy.
 * @throws Error of one line when the mount is not at its place, or is gone
 */
export function openFolderOf({ id, dir }: MountEntry): number {
  const moved = () => new Error(`${dir}: what is mounted there changed meanwhile; see mdevfs status`);
  let folder: Place;
  try {
    folder = walk(dirname(dir), { noLinks: true });
  } catch (error) {
    throw error instanceof UnsafePathError ? moved() : error;
  }
  closeSync(folder.dir);
  const { fd } = folder.node!;
  try {
    // Opened like this, a mount is not asked anything: its server may be dead, or this very thread.
    const mount = openPath(pathOfFd(fd, basename(dir)));
    const found = mountIdOf(mount);
    closeSync(mount);
    if (found === id) return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  throw moved();
}
