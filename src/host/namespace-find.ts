/**
 * Finding the namespaces that `mdevfs run` made, and joining them.
 * @module
 */

import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
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

/**
 * Whether a process has the model mounted at a directory.
 * @param proc its directory in /proc
 */
function seesModel(pid: number, at: string, proc = `/proc/${pid}`): boolean {
  try {
    const mounts = parseMountinfo(readFileSync(`${proc}/mountinfo`, 'latin1'));
    return mounts.some(({ dir, type }) => dir === at && type === `fuse.${MOUNT_SOURCE}`);
  } catch {
    return false;
  }
}

/** From `mdevfs run` over unshare(1) and the outer script to the inner one. */
const DEPTH = 3;

/** A process that sees the model in /sys: the one given, or one that it started for that. */
function processInside(pid: number): number | undefined {
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
    // Anybody may call a process so; a terminal that it is shown on takes orders from some characters.
    return at > 0 ? words[at + 1]?.replaceAll(/\p{Cc}/gu, '?') : undefined;
  } catch {
    return undefined;
  }
}

/** The namespaces of a run, open: the number of a process may be another one's when it is used. */
export interface RunNamespaces {
  /** Descriptors of what is in /proc/PID/ns. */
  readonly files: Readonly<Record<'mnt' | 'net' | 'pid' | 'user', number>>;
  /** Whether it has a user namespace that is not this program's. */
  readonly isOtherUser: boolean;
  /** The users that the process has the rights of: real, effective, saved, and for files. */
  readonly uids: readonly number[];
}

/**
 * Opens the namespaces of the run that a process belongs to, or that it started.
 * @returns undefined when there is none, or none that this user may look into
 */
export function openRun(pid: number): RunNamespaces | undefined {
  const inside = processInside(pid);
  if (inside === undefined) return undefined;
  let dir: number | undefined;
  try {
    // What is reached by way of it is this process's, and nobody's when it is gone.
    dir = openSync(`/proc/${inside}`, constants.O_RDONLY | constants.O_DIRECTORY);
    const proc = `/proc/self/fd/${dir}`;
    const [mnt, net, pidns, user] = ['mnt', 'net', 'pid', 'user'].map((name) =>
      openSync(`${proc}/ns/${name}`, 'r'),
    ) as [number, number, number, number];
    const uids = /^Uid:\s*(.*)$/m.exec(readFileSync(`${proc}/status`, 'latin1'))![1]!;
    if (!seesModel(inside, MARK, proc)) return undefined;
    const [theirs, ours] = [fstatSync(user), statSync('/proc/self/ns/user')];
    return {
      files: { mnt, net, pid: pidns, user },
      isOtherUser: theirs.ino !== ours.ino || theirs.dev !== ours.dev,
      uids: uids.split(/\s+/).map(Number),
    };
  } catch {
    return undefined;
  } finally {
    if (dir !== undefined) closeSync(dir);
  }
}

/**
 * Runs a command in the namespaces of a run, with this terminal. What is mounted there, and so what the command is, decides
 * who made the user namespace that they belong to.
 * @returns its exit code
 */
export function runInside(
  { files, isOtherUser }: RunNamespaces,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  // Not inherited, for the command would have them too.
  const file = (name: keyof typeof files): string => `/proc/${process.pid}/fd/${files[name]}`;
  const namespaces = [`--mount=${file('mnt')}`, `--net=${file('net')}`, `--pid=${file('pid')}`];
  if (isOtherUser) namespaces.push(`--user=${file('user')}`, '--preserve-credentials');
  const child = spawn('nsenter', [...namespaces, '--', ...command], { stdio: 'inherit', env });
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
