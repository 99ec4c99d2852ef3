/**
 * `mdevfs status`: which trees are mounted, who serves them, and which commands have one at /sys.
 * @module
 */

import { basename } from 'node:path';
import { MOUNT_SOURCE } from '../host/mount.js';
import { mounts } from '../host/mountinfo.js';
import { canonical, mountpointState } from '../host/mountpoint.js';
import { isInside, type Run, runs } from '../host/namespace-find.js';
import { type MountRecord, records } from '../host/record.js';
import { failure } from './error.js';

export interface StatusCommandOptions {
  json?: boolean;
}

interface Status {
  dir: string;
  /**
   * `served`, `changing`, `stale` (the daemon is dead), `unrecorded`, or `gone` (daemon and mount are); `run` for one
   * that only the command of `mdevfs run` sees, and `inside` in such a command.
   */
  state: string;
  /** The daemon; the `mdevfs run`. */
  pid: number | null;
  fixture: string | null;
  transport: string | null;
  /** Why reads of constant attributes are not passed through to the kernel; null when they are. */
  noPassthrough: string | null;
  since: string | null;
  log: string | null;
  /** Where its character devices are; null when nowhere. */
  dev: string | null;
}

function statusOf(dir: string, record: MountRecord | undefined): Status {
  const { kind } = mountpointState(dir);
  const ours = ['served', 'changing', 'stale', 'unrecorded'].includes(kind);
  return {
    dir,
    state: ours ? kind : 'gone',
    pid: record?.pid ?? null,
    fixture: record?.fixture ?? null,
    transport: record?.transport ?? null,
    noPassthrough: record?.noPassthrough ?? null,
    since: record?.since ?? null,
    log: record?.log ?? null,
    dev: record?.dev ?? null,
  };
}

const atSys = (state: string, run?: Run): Status => ({
  dir: '/sys',
  state,
  pid: run?.pid ?? null,
  fixture: run?.fixture ?? null,
  transport: run ? 'fuse' : null,
  noPassthrough: null,
  since: null,
  log: null,
  dev: run ? '/dev' : null,
});

function lineOf({ dir, state, pid, fixture, transport, noPassthrough, dev }: Status): string {
  if (state === 'run')
    return `${dir} of a command: ${basename(fixture!, '.json')}, run ${pid} (mdevfs enter ${pid})`;
  if (state === 'inside') return `${dir}: this is inside of mdevfs run`;
  const parts = [state];
  if (fixture) parts.push(basename(fixture, '.json'));
  if (transport === 'fuse')
    parts.push(`over fuse, ${noPassthrough ? `no passthrough (${noPassthrough})` : 'passthrough'}`);
  else if (transport) parts.push(`over ${transport}`);
  if (dev) parts.push(`devices at ${dev}`);
  if (pid !== null) parts.push(`daemon ${pid}`);
  return `${dir}: ${parts.join(', ')}`;
}

/** @returns the exit code: 1 when one directory is asked about and it is not served */
export function status(path: string | undefined, { json = false }: StatusCommandOptions): number {
  const recorded = new Map(records().map((record) => [record.dir, record]));
  const mounted = mounts().filter((entry) => entry.type === `fuse.${MOUNT_SOURCE}`);
  const dirs = new Set([...recorded.keys(), ...mounted.map((entry) => entry.dir)]);
  const devices = new Set([...recorded.values()].map(({ dev }) => dev));
  const inside = isInside();
  let all = [...dirs]
    .filter((dir) => !inside || !/^\/(sys|run\/mdevfs|dev\/vfio)(\/|$)/.test(dir))
    .filter((dir) => !devices.has(dir))
    .sort()
    .map((dir) => statusOf(dir, recorded.get(dir)));
  if (inside) all.push(atSys('inside'));
  all.push(...runs().map((run) => atSys('run', run)));
  if (path !== undefined) all = all.filter(({ dir, state }) => dir === canonical(path) && state !== 'run');
  if (json) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  else for (const one of all) process.stdout.write(`${lineOf(one)}\n`);
  if (path === undefined) return 0;
  if (all.length === 0 && !json) throw failure(`${path}: not mounted; mdevfs mount ${path}`);
  return all[0]?.state === 'served' ? 0 : 1;
}
