/**
 * Finding the namespaces that `mdevfs run` made, and joining them.
 * @module
 */

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { MOUNT_SOURCE } from './mount.js';
import { parseMountinfo } from './mountinfo.js';

/** Where the model is in /sys, wherever it is. */
const MARK = '/sys/class';

/** Children of all processes, by their parent. */
function children(): Map<number, number[]> {
  const byParent = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, 'latin1');
    } catch {
      continue;
    }
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    byParent.set(parent, [...(byParent.get(parent) ?? []), Number(name)]);
  }
  return byParent;
}

function seesModel(pid: number): boolean {
  try {
    const mounts = parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, 'latin1'));
    return mounts.some(({ dir, type }) => dir === MARK && type === `fuse.${MOUNT_SOURCE}`);
  } catch {
    return false;
  }
}

/** From `mdevfs run` over unshare(1) and the outer script to the inner one. */
const DEPTH = 3;

/** A process that sees the model in /sys: the one given, or one that it started for that. */
export function processInside(pid: number): number | undefined {
  const all = children();
  let some = [pid];
  for (let depth = 0; depth <= DEPTH; depth++) {
    const inside = some.find(seesModel);
    if (inside !== undefined) return inside;
    some = some.flatMap((each) => all.get(each) ?? []);
  }
  return undefined;
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
