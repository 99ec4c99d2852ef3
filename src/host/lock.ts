/**
 * Locks between processes that are free again when their holder dies, also in other namespaces: flock(2) of a file. It is open
 * for its owner alone, since whoever can open a file can lock it. Node has no flock, so a child takes it (flock(1) of
 * util-linux) on the open file that it inherits; the lock belongs to the open file, and stays.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, lstatSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLockedTheOldWay } from './old-lock.js';
import { FileKindError, openOwn } from './safe-file.js';

const LOCK_MODE = 0o600;
const RETRY_MS = 100;
/** Longer than any machine takes to come up. */
const PATIENCE_MS = 120_000;
/** What flock(1) says when somebody else has the lock. */
const HELD = 1;

function flock(fd: number): boolean {
  const { status, error, stderr } = spawnSync('flock', ['-n', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
    encoding: 'utf8',
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    throw new Error('flock(1) is not installed; install util-linux');
  if (error) throw error;
  if (status === 0) return true;
  if (status === HELD) return false;
  throw new Error(stderr.trim().split('\n')[0] || `flock failed with exit code ${status}`);
}

/**
 * Takes a lock until what is returned is closed, or this process ends.
 * @param path of the lock file; made when there is none
 * @param shown what it is called in messages
 * @param oldName what the lock was called before
 * @returns undefined when another process has it
 * @throws Error of one line for a file that cannot be a lock; what open(2) says
 */
export function takeLock(path: string, shown: string, oldName: string): number | undefined {
  for (;;) {
    const fd = opened(path, shown);
    try {
      const isFree = flock(fd) && !isLockedTheOldWay(oldName);
      if (isFree && isStill(path, fd)) return fd;
      closeSync(fd);
      if (!isFree) return undefined;
    } catch (error) {
      closeSync(fd);
      throw new Error(`${shown}: cannot be locked: ${(error as Error).message}`);
    }
  }
}

function opened(path: string, shown: string): number {
  try {
    return openOwn(path, constants.O_RDWR, LOCK_MODE);
  } catch (error) {
    throw error instanceof FileKindError ? new Error(`${shown}: ${error.message}; remove it`) : error;
  }
}

/** Whether a file is the one at its path: who had the lock may have removed it. */
function isStill(path: string, fd: number): boolean {
  const [there, file] = [lstatSync(path, { throwIfNoEntry: false }), fstatSync(fd)];
  return there?.ino === file.ino && there.dev === file.dev;
}

/**
 * Runs `body` while no other process runs one under the same lock; waits for its turn, and leaves no lock file.
 * @param what is busy when it does not come
 * @throws as {@link takeLock}; Error of one line when the turn does not come
 */
export async function withLock<T>(path: string, what: string, body: () => Promise<T>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  let lock = takeLock(path, path, what);
  while (lock === undefined) {
    if (Date.now() > end) {
      const seconds = PATIENCE_MS / 1000;
      throw new Error(
        `${what}: another mdevfs mount has been at it for ${seconds} seconds; end that, or try again`,
      );
    }
    await sleep(RETRY_MS);
    lock = takeLock(path, path, what);
  }
  try {
    return await body();
  } finally {
    // Before it is free: whoever waits for this file finds that it is none any more.
    rmSync(path, { force: true });
    closeSync(lock);
  }
}
