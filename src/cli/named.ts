/**
 * Files and directories that a user names, and what a command says of one that is not there or is not what it should be.
 * A name that leads to nothing is wrong use, as any word without a meaning; what the system refuses is a failure.
 * @module
 */

import { statSync } from 'node:fs';
import { UnsafePathError } from '../host/path-walk.js';
import { FileKindError } from '../host/safe-file.js';
import { type CommandError, EXIT_FAILURE, EXIT_USAGE, failure } from './error.js';

const reasons: Readonly<Record<string, readonly [string, number]>> = {
  ENOENT: ['no such file or directory', EXIT_USAGE],
  ENOTDIR: ['no such file or directory', EXIT_USAGE],
  ELOOP: ['links that lead in a circle', EXIT_USAGE],
  ENAMETOOLONG: ['no such file or directory, and too long a name', EXIT_USAGE],
  EISDIR: ['a directory, not a file', EXIT_USAGE],
  EACCES: ['not for you to read; use sudo', EXIT_FAILURE],
  EPERM: ['not for you to read; use sudo', EXIT_FAILURE],
  ENOTCONN: ['what served it is dead; mdevfs umount clears it', EXIT_FAILURE],
};

/** What to say when a named file or directory could not be read. */
export function unreadable(path: string, error: unknown): CommandError {
  if (error instanceof UnsafePathError) return failure(`${path}: ${error.message}; give the file itself`);
  if (error instanceof FileKindError) return failure(`${path}: ${error.message}`, EXIT_USAGE);
  const { code = '', message } = error as NodeJS.ErrnoException;
  const [reason, exitCode] = reasons[code] ?? [message, EXIT_FAILURE];
  return failure(`${path}: ${reason}`, exitCode);
}

/** @throws CommandError for what is no directory, or not to be seen */
export function assertDirectory(path: string): void {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(path).isDirectory();
  } catch (error) {
    throw unreadable(path, error);
  }
  if (!isDirectory) throw failure(`${path}: not a directory`, EXIT_USAGE);
}
