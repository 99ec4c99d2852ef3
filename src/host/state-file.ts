/**
 * The file that keeps a machine's state over the end of its daemon. It is replaced as a whole: written beside, brought to
 * the disk, and renamed, so that there is always the old or the new one. What is no state of mdevfs is never touched.
 *
 * Beside it are `FILE.new`, while it is written, and `FILE.lock`, which who keeps a state there has locked; that is not the
 * file itself, since it is another one after each change. The folder is opened once, so all three stay together whatever
 * becomes of its path.
 * @module
 */

import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { takeLock } from './lock.js';
import { isOurs, openPath, pathOfFd, type Place, UnsafePathError, walk } from './path-walk.js';
import { createNew, FileKindError, notRegular, readToEnd, reopened } from './safe-file.js';

/** What makes a file one of these. Version 1 has modules and mediated devices only. */
const FORMAT = 'mdevfs state ';
const VERSION = 2;
/** Of some 150 bytes per device. */
const MOST = 64 * 1024 * 1024;

export const wayOut = 'Remove it to begin anew, or give another file';

export interface StateContent<T> {
  /** Name of the fixture that the machine was made of. */
  fixture: string;
  state: T;
}

/** A file that is there and is no state, or one that cannot be written. */
export class StateFileError extends Error {}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

export class StateFile {
  readonly #folder: number;
  readonly #name: string;

  private constructor(
    /** The file itself, where a link was given. */
    readonly path: string,
    { dir, name }: Place,
  ) {
    this.#folder = dir;
    this.#name = name;
  }

  /**
   * Finds the folder, through links of ours.
   * @throws StateFileError when there is none, or others have a hand in the path
   */
  static at(path: string): StateFile {
    try {
      const place = walk(path);
      if (place.node) closeSync(place.node.fd);
      const reason = place.node && (notRegular(place.node.stat) ?? planted(place.dir, place.node.stat));
      if (reason === undefined) return new StateFile(place.path, place);
      closeSync(place.dir);
      throw new StateFileError(`${place.path}: ${reason}; it is left as it is. ${wayOut}`);
    } catch (error) {
      if (error instanceof StateFileError) throw error;
      if (error instanceof UnsafePathError)
        throw new StateFileError(`${error.message}; give the file itself`);
      throw new StateFileError(`${resolve(path)}: cannot be written: ${codeOf(error)}`);
    }
  }

  #beside(extension = ''): string {
    return pathOfFd(this.#folder, this.#name + extension);
  }

  /**
   * Takes it for the rest of this process's life.
   * @returns false when another process has it
   * @throws StateFileError
   */
  lock(): boolean {
    try {
      return takeLock(this.#beside('.lock'), `${this.path}.lock`, `state:${this.path}`) !== undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new StateFileError(code ? `${this.path}: cannot be written: ${code}` : (error as Error).message);
    }
  }

  /**
   * @returns undefined when there is no file yet
   * @throws StateFileError when it is something else, or not whole
   */
  read(): StateContent<unknown> | undefined {
    const text = this.#text();
    return text === undefined ? undefined : parseState(text, this.path);
  }

  #text(): string | undefined {
    try {
      const fd = openPath(this.#beside());
      try {
        return readToEnd(reopened({ fd, stat: fstatSync(fd) }, MOST), MOST).toString('utf8');
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      if (error instanceof FileKindError)
        throw new StateFileError(`${this.path}: ${error.message}; it is left as it is. ${wayOut}`);
      throw new StateFileError(`${this.path}: cannot be read: ${codeOf(error)}`);
    }
  }

  /**
   * Replaces the file. Comes back when it is on the disk.
   * @throws StateFileError
   */
  write<T>({ fixture, state }: StateContent<T>): void {
    const temporary = this.#beside('.new');
    try {
      const fd = this.#createNew(temporary);
      try {
        const bytes = Buffer.from(`${JSON.stringify({ format: `${FORMAT}${VERSION}`, fixture, state })}\n`);
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        fsyncSync(fd);
        renameSync(temporary, this.#beside());
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      } finally {
        closeSync(fd);
      }
      syncDirectory(pathOfFd(this.#folder, '.'));
    } catch (error) {
      if (error instanceof StateFileError) throw error;
      throw new StateFileError(`${this.path}: cannot be written: ${codeOf(error)}`);
    }
  }

  /** What is there is of a daemon that was killed, since this one has the lock; or somebody's trap. It is not written to. */
  #createNew(path: string): number {
    try {
      return createNew(path, 0o644);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    try {
      unlinkSync(path);
    } catch (error) {
      if (codeOf(error) === 'EISDIR')
        throw new StateFileError(
          `${this.path}.new: a directory, where the state is written first; remove it`,
        );
      throw error;
    }
    return createNew(path, 0o644);
  }
}

/** @throws StateFileError */
function parseState(text: string, file: string): StateContent<unknown> {
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

/** Whether somebody else put a file where everybody may, as fs.protected_regular (proc(5)) has it. */
function planted(folder: number, { uid }: Stats): string | undefined {
  const isShared = (fstatSync(folder).mode & 0o022) !== 0;
  return isShared && !isOurs(uid) ? `belongs to uid ${uid}, in a folder where others may write` : undefined;
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
