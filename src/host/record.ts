/**
 * Who serves which mountpoint: one JSON file per daemon below /run/mdevfs. A record outlives a daemon that was
 * killed; it then names a process that is gone, or another one that got the number later, which the start time
 * tells apart. The record is also the lock: a daemon makes it before it mounts, and only one can.
 * @module
 */

import {
  closeSync,
  constants,
  ftruncateSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { runtimeDir } from './runtime-dir.js';
import { createNew, FileKindError, openOwn, readOwnText } from './safe-file.js';

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

/** More than any record has. */
const MOST = 64 * 1024;

const fileOf = (dir: string, extension: string): string =>
  join(runtimeDir(true), `${encodeURIComponent(dir)}.${extension}`);

/** The log file of the daemon that serves this mountpoint. */
export const logFileOf = (dir: string): string => fileOf(dir, 'log');

/** What is locked while something is mounted or unmounted there. */
export const lockFileOf = (dir: string): string => fileOf(dir, 'lock');

/**
 * Begins the log anew.
 * @returns its descriptor
 * @throws Error of one line for what is no file of this user's
 */
export function openLog(file: string): number {
  try {
    const fd = openOwn(file, constants.O_WRONLY, 0o644);
    ftruncateSync(fd);
    return fd;
  } catch (error) {
    throw error instanceof FileKindError ? new Error(`${file}: ${error.message}; remove it`) : error;
  }
}

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
    const record = JSON.parse(readOwnText(file, MOST)) as Partial<MountRecord> | null;
    const isRecord =
      typeof record?.dir === 'string' && Number.isInteger(record.pid) && Number.isInteger(record.started);
    return isRecord ? (record as MountRecord) : undefined;
  } catch {
    return undefined;
  }
}

export function recordOf(dir: string): MountRecord | undefined {
  const at = runtimeDir(false);
  return at === undefined ? undefined : read(join(at, `${encodeURIComponent(dir)}.json`));
}

export function records(): MountRecord[] {
  const dir = runtimeDir(false);
  if (dir === undefined) return [];
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
    write(fileOf(record.dir, 'json'), record);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function write(file: string, record: MountRecord): void {
  const fd = createNew(file, 0o644);
  try {
    writeFileSync(fd, `${JSON.stringify(record)}\n`);
  } finally {
    closeSync(fd);
  }
}

/** Replaces the record that this process took. */
export function updateRecord(record: MountRecord): void {
  const file = fileOf(record.dir, 'json');
  rmSync(`${file}.new`, { force: true });
  write(`${file}.new`, record);
  renameSync(`${file}.new`, file);
}

export function dropRecord(dir: string): void {
  rmSync(fileOf(dir, 'json'), { force: true });
}

/** Removes the log of a daemon that had nothing to say. */
export function dropEmptyLog(dir: string): void {
  const log = logFileOf(dir);
  if (statSync(log, { throwIfNoEntry: false })?.size === 0) rmSync(log);
}
