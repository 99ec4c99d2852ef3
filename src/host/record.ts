/**
 * Who serves which mountpoint: one JSON file per daemon below /run/mdevfs. A record outlives a daemon that was
 * killed; it then names a process that is gone, or another one that got the number later, which the start time
 * tells apart. The record is also the lock: a daemon makes it before it mounts, and only one can.
 * @module
 */

import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface MountRecord {
  dir: string;
  pid: number;
  /** Start time of the process in clock ticks since boot. */
  started: number;
  fixture: string;
  transport: string;
  /** Why reads of constant attributes are not passed through to the kernel; null when they are. */
  noPassthrough: string | null;
  log: string | null;
  /** File that keeps the machine's state; null when none does. */
  state: string | null;
  /** Where the character devices are mounted; null when they are not. */
  dev: string | null;
  /** When the tree was mounted, as ISO 8601; null while the daemon is still at it. */
  since: string | null;
}

/** Where records and logs are kept; made when missing. */
export function runtimeDir(): string {
  const uid = process.getuid?.() ?? 0;
  const dir =
    uid === 0
      ? '/run/mdevfs'
      : join(process.env.XDG_RUNTIME_DIR ?? join(tmpdir(), `mdevfs-${uid}`), 'mdevfs');
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  return dir;
}

const fileOf = (dir: string, extension: string): string =>
  join(runtimeDir(), `${encodeURIComponent(dir)}.${extension}`);

/** The log file of the daemon that serves this mountpoint. */
export const logFileOf = (dir: string): string => fileOf(dir, 'log');

/** Start time of a process (proc_pid_stat(5), field 22), undefined when there is none. */
export function startTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command in parentheses may hold anything, parentheses and spaces included.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie serves nothing.
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

export function isAlive(record: MountRecord): boolean {
  return startTime(record.pid) === record.started;
}

function read(file: string): MountRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as MountRecord;
  } catch {
    return undefined;
  }
}

export function recordOf(dir: string): MountRecord | undefined {
  return read(fileOf(dir, 'json'));
}

export function records(): MountRecord[] {
  const dir = runtimeDir();
  return readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => read(join(dir, name)) ?? []);
}

/**
 * Makes the record of this process; a dead daemon's is replaced.
 * @returns false when a living daemon has one for the same directory
 */
export function takeRecord(record: MountRecord): boolean {
  const before = recordOf(record.dir);
  if (before && isAlive(before)) return before.pid === record.pid;
  dropRecord(record.dir);
  try {
    const fd = openSync(fileOf(record.dir, 'json'), 'wx', 0o644);
    writeFileSync(fd, `${JSON.stringify(record)}\n`);
    closeSync(fd);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Rewrites the record that this process took. */
export function updateRecord(record: MountRecord): void {
  writeFileSync(fileOf(record.dir, 'json'), `${JSON.stringify(record)}\n`);
}

export function dropRecord(dir: string): void {
  rmSync(fileOf(dir, 'json'), { force: true });
}

/** Removes the log of a daemon that had nothing to say. */
export function dropEmptyLog(dir: string): void {
  const log = logFileOf(dir);
  if (statSync(log, { throwIfNoEntry: false })?.size === 0) rmSync(log);
}
