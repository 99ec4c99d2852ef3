/**
 * How commands write to control files of a tree (`kernel/debug/mdevfs/NAME`), and what they say when that fails: the line
 * that the kernel log of the machine has about it.
 * @module
 */

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { failure } from './error.js';

const CONTROL = 'kernel/debug/mdevfs';

function openControl(dir: string, name: string, flags: 'r' | 'w'): number {
  try {
    return openSync(join(dir, CONTROL, name), flags);
  } catch (error) {
    throw failure(`${dir}: ${(error as Error).message}; is ${dir} a mounted tree, and are you root?`);
  }
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
