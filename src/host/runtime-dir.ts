/**
 * Where this program keeps what it knows of its daemons: records, logs and locks. Root's is /run/mdevfs, another user's is
 * below XDG_RUNTIME_DIR, or else below the folder for temporary files, where anybody may have made one of that name before.
 * So what is used is a directory of the user, in which nobody else may write, in folders in which nobody else can replace it.
 * @module
 */

import { chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closePlace, isOurs, pathOfFd, UnsafePathError, walk } from './path-walk.js';

/** @param make whether to make it; otherwise undefined is returned when there is none */
export function runtimeDir(make: true): string;
export function runtimeDir(make: boolean): string | undefined;
/** @throws Error of one line when it is not one of this user alone */
export function runtimeDir(make: boolean): string | undefined {
  const uid = process.geteuid?.() ?? 0;
  const base = uid === 0 ? '/run' : process.env.XDG_RUNTIME_DIR || join(tmpdir(), `mdevfs-${uid}`);
  const dir = join(base, 'mdevfs');
  const wayOut =
    uid === 0 ? `have root own ${dir}` : 'set XDG_RUNTIME_DIR to a directory that you alone may write';
  try {
    // Root's is shown to others: its records, and the tree of mount.sh in it.
    if (!isThere(dir, uid)) {
      if (!make) return undefined;
      const made = walk(dir, { ours: true, make: uid === 0 ? 0o755 : 0o700 });
      // Whatever umask(2) there is.
      if (uid === 0 && made.node!.stat.uid === 0) chmodSync(pathOfFd(made.node!.fd), 0o755);
      closePlace(made);
      isThere(dir, uid);
    }
    return dir;
  } catch (error) {
    throw error instanceof UnsafePathError ? new Error(`${error.message}; ${wayOut}`) : error;
  }
}

/** Whether it is there, and is one of this user alone, or is now. */
function isThere(dir: string, uid: number): boolean {
  let place: ReturnType<typeof walk>;
  try {
    place = walk(dir, { ours: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  const { path, node } = place;
  try {
    if (!node) return false;
    const { fd, stat } = node;
    if (!stat.isDirectory()) throw new UnsafePathError(`${path}: not a directory`);
    if (!isOurs(stat.uid)) throw new UnsafePathError(`${path}: belongs to uid ${stat.uid}`);
    const isWritten = (stat.mode & 0o022) !== 0;
    // What others made in it before is theirs, and taken for nothing else (safe-file.ts).
    if (isWritten && stat.uid === uid) chmodSync(pathOfFd(fd), stat.mode & 0o755);
    else if (isWritten) throw new UnsafePathError(`${path}: others may write there`);
    return true;
  } finally {
    closePlace(place);
  }
}
