/**
 * Files whose place or content others may have had a hand in: fixtures, archives and states that a user names, and what this
 * program keeps for itself (runtime-dir.ts, state-file.ts). What is at a path is looked at before it is opened, by a
 * descriptor that opens nothing yet. So a pipe makes nobody wait, a device is not touched, no link of others is followed
 * (path-walk.ts), and what was looked at is what is read. No more is read than such a file can have.
 * @module
 */

import { closeSync, constants, fchmodSync, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { closePlace, isOurs, pathOfFd, walk } from './path-walk.js';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const MIB = 1024 * 1024;
const CHUNK = 64 * 1024;

/** A file that is not what it should be. Its message is the reason, without the name of the file. */
export class FileKindError extends Error {}

/** What something is that is no regular file; undefined for one. */
export function notRegular(stat: Stats): string | undefined {
  if (stat.isFile()) return undefined;
  if (stat.isDirectory()) return 'a directory, not a file';
  if (stat.isFIFO()) return 'a pipe, not a file; save what comes out of it as one';
  if (stat.isSocket()) return 'a socket, not a file';
  return stat.isSymbolicLink() ? 'a link, not a file' : 'a device, not a file';
}

/**
 * Opens a regular file for reading, also through links of ours.
 * @param most how many bytes it may have
 * @throws FileKindError for anything else; UnsafePathError for links of others; ENOENT, ENOTDIR, ELOOP, EACCES
 */
export function openToRead(path: string, most = Number.MAX_SAFE_INTEGER): number {
  const place = walk(path);
  try {
    if (!place.node) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    return reopened(place.node, most);
  } finally {
    closePlace(place);
  }
}

/** Opens what was only looked at so far. */
export function reopened({ fd, stat }: { fd: number; stat: Stats }, most: number): number {
  const reason = notRegular(stat);
  if (reason !== undefined) throw new FileKindError(reason);
  if (stat.size > most) throw tooLarge(most);
  return openSync(pathOfFd(fd), O_RDONLY | O_NONBLOCK);
}

const tooLarge = (most: number) => new FileKindError(`larger than ${most / MIB} MiB, the most that is read`);

/** Reads a file that {@link openToRead} opened, and closes it. A file may have more in it than its size says. */
export function readToEnd(fd: number, most: number): Buffer {
  try {
    const { size } = fstatSync(fd);
    const pieces: Buffer[] = [];
    for (let total = 0; ; ) {
      const piece = Buffer.allocUnsafe(Math.max(CHUNK, size - total + 1));
      const length = readSync(fd, piece, 0, piece.length, null);
      if (length === 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, length));
      total += length;
      if (total > most) throw tooLarge(most);
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * The text of a regular file.
 * @throws as {@link openToRead}
 */
export function readText(path: string, most: number): string {
  return readToEnd(openToRead(path, most), most).toString('utf8');
}

/** The same of a file of this program's own. @throws FileKindError for others' */
export function readOwnText(path: string, most: number): string {
  const fd = openToRead(path, most);
  const { uid } = fstatSync(fd);
  if (isOurs(uid)) return readToEnd(fd, most).toString('utf8');
  closeSync(fd);
  throw new FileKindError(`belongs to uid ${uid}`);
}

/** Makes a file where there is nothing, not even a link. @throws EEXIST */
export function createNew(path: string, mode: number): number {
  return openSync(path, constants.O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

/**
 * Opens a file of this program's own, or makes it. Nobody else can have it open, if nobody else may read it.
 * @param mode with which it is made; what it has beyond that is taken from it
 * @throws FileKindError for what is no regular file, what others own, and what has a second name
 */
export function openOwn(path: string, access: number, mode: number): number {
  let fd: number;
  try {
    fd = openSync(path, access | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw new FileKindError('a link, not a file');
    if (code === 'EISDIR') throw new FileKindError('a directory, not a file');
    if (code === 'ENXIO') throw new FileKindError('a pipe, not a file');
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    const reason = notRegular(stat) ?? (stat.nlink > 1 ? 'a file with a second name' : undefined);
    if (reason !== undefined) throw new FileKindError(reason);
    if (!isOurs(stat.uid)) throw new FileKindError(`belongs to uid ${stat.uid}`);
    if (stat.mode & 0o777 & ~mode) fchmodSync(fd, stat.mode & mode);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
