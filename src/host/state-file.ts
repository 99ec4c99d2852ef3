/**
 * The file that keeps a machine's state over the end of its daemon. It is replaced as a whole: written beside, brought to
 * the disk, and renamed, so that there is always the old or the new one. What is no state of mdevfs is never touched.
 * @module
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';

/** What makes a file one of these. Version 1 has modules and mediated devices only. */
const FORMAT = 'mdevfs state ';
const VERSION = 2;

export const wayOut = 'Remove it to begin anew, or give another file';

export interface StateContent<T> {
  /** Name of the fixture that the machine was made of. */
  fixture: string;
  state: T;
}

/** A file that is there and is no state, or one that cannot be written. */
export class StateFileError extends Error {}

/** The file itself, where the path is a link. */
export function stateFile(path: string): string {
  return existsSync(path) ? realpathSync(path) : resolve(path);
}

/**
 * @returns undefined when there is no file yet
 * @throws StateFileError when it is something else, or not whole
 */
export function readState(file: string): StateContent<unknown> | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new StateFileError(`${file}: cannot be read: ${code}`);
  }
  let content: Partial<StateContent<unknown> & { format: string }> | null | undefined;
  try {
    content = JSON.parse(text) as typeof content;
  } catch {
    const isCut = text.trimStart().startsWith(`{"format":"${FORMAT}`);
    const what = text === '' ? 'empty' : isCut ? 'cut off' : 'no state of mdevfs';
    throw new StateFileError(`${file}: ${what}; it is left as it is. ${wayOut}`);
  }
  const version = new RegExp(`^${FORMAT}([1-9]\\d*)$`).exec(String(content?.format))?.[1];
  if (version === undefined || typeof content?.fixture !== 'string' || content.state === undefined) {
    throw new StateFileError(`${file}: no state of mdevfs; it is left as it is. ${wayOut}`);
  }
  if (Number(version) > VERSION) {
    throw new StateFileError(`${file}: written by a newer mdevfs; it is left as it is. ${wayOut}`);
  }
  return { fixture: content.fixture, state: content.state };
}

/**
 * Replaces the file. Comes back when it is on the disk.
 * @throws StateFileError
 */
export function writeState<T>(file: string, { fixture, state }: StateContent<T>): void {
  const temporary = `${file}.new`;
  try {
    const fd = openSync(temporary, 'w', 0o644);
    try {
      const bytes = Buffer.from(`${JSON.stringify({ format: `${FORMAT}${VERSION}`, fixture, state })}\n`);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
    syncDirectory(dirname(file));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new StateFileError(`${file}: cannot be written: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** The name is on the disk too. */
function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    // Not every file system takes it for a directory.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    closeSync(fd);
  }
}
