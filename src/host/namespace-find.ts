/**
 * Finding the namespaces that `mdevfs run` made, and joining them.
 * @module
 */

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { MOUNT_SOURCE } from './mount.js';
import { mountAt, parseMountinfo } from './mountinfo.js';
import { places } from './namespace-script.js';
import { SERVE_RUN } from './serve-run-name.js';

/** Where the model is in /sys, wherever it is. */
const MARK = '/sys/class';

/** All processes, with the number of their parent. */
function parents(): Map<number, number> {
  const parentOf = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, 'latin1');
    } catch {
      continue;
    }
    parentOf.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  return parentOf;
}

/** Whether a process has the model mounted at a directory. */
function seesModel(pid: number, at: string): boolean {
  try {
    const mounts = parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, 'latin1'));
    return mounts.some(({ dir, type }) => dir === at && type === `fuse.${MOUNT_SOURCE}`);
  } catch {
    return false;
  }
}

/** From `mdevfs run` over unshare(1) and the outer script to the inner one. */
const DEPTH = 3;

/** A process that sees the model in /sys: the one given, or one that it started for that. */
export function processInside(pid: number): number | undefined {
  const all = [...parents()];
  let some = [pid];
  for (let depth = 0; depth <= DEPTH; depth++) {
    const inside = some.find((each) => seesModel(each, MARK));
    if (inside !== undefined) return inside;
    some = all.flatMap(([child, parent]) => (some.includes(parent) ? [child] : []));
  }
  return undefined;
}

/** Whether this very process runs inside of one. */
export const isInside = (): boolean => mountAt(places.model)?.type === `fuse.${MOUNT_SOURCE}`;

export interface Run {
  /** Process of the `mdevfs run`. */
  pid: number;
  /** Path of its fixture. */
  fixture: string;
}

/** Every `mdevfs run` that this process may look into. */
export function runs(): Run[] {
  const parentOf = parents();
  const found = new Map<number, string>();
  for (const process of parentOf.keys()) {
    const fixture = fixtureServed(process);
    if (fixture === undefined || !seesModel(process, places.model)) continue;
    // The first that is outside started the rest.
    let pid: number | undefined = process;
    while (pid !== undefined && seesModel(pid, places.model)) pid = parentOf.get(pid);
    if (pid) found.set(pid, fixture);
  }
  return [...found].map(([pid, fixture]) => ({ pid, fixture }));
}

/** What a server, or the shell that starts it, was told to serve. */
function fixtureServed(pid: number): string | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const at = words.indexOf(SERVE_RUN);
    return at > 0 ? words[at + 1] : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Runs a command in the namespaces of a process, with this terminal.
 * @returns its exit code
 */
export function runInside(pid: number, command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const sameUser = ownerOf(pid) === ownerOf(process.pid);
  const namespaces = ['--mount', '--net', '--pid', ...(sameUser ? [] : ['--user', '--preserve-credentials'])];
  const child = spawn('nsenter', ['--target', String(pid), ...namespaces, '--', ...command], {
    stdio: 'inherit',
    env,
  });
  // The terminal sends its signals to the command too, which decides.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {});
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT';
      reject(absent ? new Error('nsenter(1) is not installed; install util-linux') : error);
    });
    child.on('close', (code, signal) => resolve(code ?? 128 + os.signals[signal!]));
  });
}

/** Whatever tells one user namespace from another. */
function ownerOf(pid: number): string {
  return readFileSync(`/proc/${pid}/uid_map`, 'latin1');
}
