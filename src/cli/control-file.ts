/**
 * How commands use control files of a tree (`kernel/debug/mdevfs/NAME`). Whether a line makes sense is asked of the machine's
 * own reader before it is written: what does not is wrong use. What the machine then refuses is a failure, with the line
 * that its kernel log has about it.
 * @module
 */

import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isOurDevice } from '../host/mountpoint.js';
import { LineError } from '../machine/control-line.js';
import { EXIT_USAGE, failure } from './error.js';
import { assertDirectory, unreadable } from './named.js';

const CONTROL = 'kernel/debug/mdevfs';

/**
 * What words for a control file mean.
 * @param command whose words they are
 * @throws CommandError for words without a meaning
 */
export function meaning<T>(command: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof LineError ? failure(`${command}: ${error.why}`, EXIT_USAGE) : error;
  }
}

export const controlPath = (dir: string, name: string): string => join(dir, CONTROL, name);

/**
 * Opens a control file. Whoever made the directory may have put a link to another file there, so it is asked of the open file
 * whether it is one of a mounted tree, before it is used.
 * @throws CommandError when there is no such tree, or it is not for this user
 */
export function openControl(dir: string, name: string, flags: 'r' | 'w'): number {
  assertDirectory(dir);
  const { O_RDONLY, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const mode = flags === 'r' ? O_RDONLY : O_WRONLY;
  const noTree = () => failure(`${dir}: no mounted tree; mdevfs status lists them`, EXIT_USAGE);
  let fd: number | undefined;
  try {
    fd = openSync(controlPath(dir, name), mode | O_NOFOLLOW | O_NONBLOCK);
    if (isOurDevice(fstatSync(fd).dev)) return fd;
    closeSync(fd);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(code)) throw noTree();
    if (code === 'EACCES') throw failure(`${dir}: only root uses its control files; use sudo`);
    throw unreadable(dir, error);
  }
  throw noTree();
}

/** The text of a control file. */
export function readControl(dir: string, name: string): string {
  const fd = openControl(dir, name, 'r');
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/**
 * Writes to a control file, in as many pieces as that takes.
 * @throws CommandError with what the machine says about it
 */
export function writeControl(dir: string, name: string, text: string): void {
  const fd = openControl(dir, name, 'w');
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw failure(`${dir}: ${name}: ${reason(dir, name) ?? code}`);
  } finally {
    closeSync(fd);
  }
}

/** What the log said last about a control file. */
function reason(dir: string, name: string): string | undefined {
  const head = `mdevfs: ${name}: `;
  const lines = readControl(dir, 'kmsg').split('\n');
  return lines.findLast((line) => line.startsWith(head))?.slice(head.length);
}

/** A path of the tree as the machine knows it: below /sys. */
export function pathInTree(dir: string, path: string): string {
  const top = `${resolve(dir)}/`;
  return path.startsWith(top) ? `/sys/${path.slice(top.length)}` : path;
}
