/**
 * Whether udevd runs, and what to do in its place where it does not. Its clients look for `/run/udev/control`
 * before they listen: a socket that udevd takes orders on. They do not connect to it, so any file will do.
 * @module
 */

import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';

export const UDEV_CONTROL = '/run/udev/control';

/** Whether a udevd runs in this process's network namespace: its socket is listed with those of the namespace. */
export function udevdRuns(): boolean {
  try {
    return readFileSync('/proc/self/net/unix', 'latin1').includes(` ${UDEV_CONTROL}\n`);
  } catch {
    return false;
  }
}

/**
 * Makes a file for clients of udev to find, where there is none.
 * @returns what removes it, unless something else is there by then
 * @throws Error of open(2) or mkdir(2)
 */
export function makeUdevControl(path: string): () => void {
  mkdirSync(dirname(path), { recursive: true });
  let made: { dev: number; ino: number };
  try {
    const fd = openSync(path, 'wx', 0o600);
    made = fstatSync(fd);
    closeSync(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return () => {};
    throw error;
  }
  return () => {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.ino === made.ino && found.dev === made.dev) unlinkSync(path);
  };
}
