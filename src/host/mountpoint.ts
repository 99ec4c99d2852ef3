/**
 * The state of a directory before something is mounted there or unmounted. Only for processes that do not serve
 * the mount themselves.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { MOUNT_SOURCE } from './mount.js';
import { type MountEntry, mountAt, mounts } from './mountinfo.js';
import { isAlive, type MountRecord, recordOf } from './record.js';

export type MountpointState =
  /** A directory where nothing is mounted; `entries` are in it. */
  | { kind: 'free'; entries: string[] }
  | { kind: 'absent' }
  | { kind: 'not-a-directory' }
  /** A daemon of ours serves it. */
  | { kind: 'served'; record: MountRecord; mount: MountEntry }
  /** A daemon of ours is on the way up or down. */
  | { kind: 'changing'; record: MountRecord }
  /** A mount of ours whose daemon is dead: everything there is ENOTCONN. */
  | { kind: 'stale'; record: MountRecord | undefined; mount: MountEntry }
  /** A mount of ours whose daemon left no record, and lives. */
  | { kind: 'unrecorded'; mount: MountEntry }
  | { kind: 'foreign'; mount: MountEntry };

/**
 * The directory by its one true name. The last component is not followed when something is mounted on it,
 * since a mount without a daemon cannot even be looked at.
 */
export function canonical(dir: string): string {
  const path = resolve(dir);
  let unfollowed: string;
  try {
    unfollowed = join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
  if (mountAt(unfollowed)) return unfollowed;
  try {
    return realpathSync(path);
  } catch {
    return unfollowed;
  }
}

/** @param dir as {@link canonical} gives it, or {@link mountName} */
export function mountpointState(dir: string): MountpointState {
  const record = recordOf(dir);
  const alive = record !== undefined && isAlive(record);
  const mount = mountAt(dir);
  if (mount && mount.type !== `fuse.${MOUNT_SOURCE}`) return { kind: 'foreign', mount };
  if (mount && alive) return record.since ? { kind: 'served', record, mount } : { kind: 'changing', record };
  if (mount) {
    const answer = answers(dir);
    // Whoever has no record may be alive and busy.
    const lives = answer ?? record === undefined;
    return lives ? { kind: 'unrecorded', mount } : { kind: 'stale', record, mount };
  }
  if (alive) return { kind: 'changing', record };
  try {
    return { kind: 'free', entries: readdirSync(dir) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'absent' };
    if (code === 'ENOTDIR') return { kind: 'not-a-directory' };
    throw error;
  }
}

/**
 * Whether a file is on a mount of ours.
 * @param dev as stat(2) tells it
 */
export function isOurDevice(dev: number): boolean {
  // As the C library makes it of major number 0.
  const minor = (dev & 0xff) | (Math.floor(dev / 2 ** 12) & 0xfff00);
  return mounts().some((mount) => mount.minor === minor && mount.type === `fuse.${MOUNT_SOURCE}`);
}

/** How long a mount may take to answer. */
const ANSWER_MS = 2000;

/**
 * Asks what the kernel cannot answer by itself: it goes on giving out what it remembers of a dead mount. Another process
 * asks, since a daemon that was killed and cannot end leaves a mount where one waits, until one is killed.
 * @returns undefined when there is no answer
 */
function answers(dir: string): boolean | undefined {
  const { status } = spawnSync('stat', ['-f', '--', dir], {
    stdio: 'ignore',
    timeout: ANSWER_MS,
    killSignal: 'SIGKILL',
  });
  return status === null ? undefined : status === 0;
}

/** Processes that work in a directory or hold a file open below it, by name and number. */
export function usersOf(dir: string): string[] {
  const inside = (link: string): boolean => {
    try {
      const target = readlinkSync(link);
      return target === dir || target.startsWith(`${dir}/`);
    } catch {
      return false;
    }
  };
  const list = (path: string): string[] => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  };
  const users: string[] = [];
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name))) {
    const links = [
      `/proc/${pid}/cwd`,
      `/proc/${pid}/root`,
      ...list(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`),
    ];
    if (links.some(inside)) users.push(`${commandOf(pid)} (pid ${pid})`);
  }
  return users;
}

function commandOf(pid: string): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return 'a process';
  }
}
