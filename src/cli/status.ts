/**
 * `mdevfs status`: which trees are mounted, and who serves them.
 * @module
 */

import { basename } from 'node:path';
import { MOUNT_SOURCE } from '../host/mount.js';
import { mounts } from '../host/mountinfo.js';
import { canonical, mountpointState } from '../host/mountpoint.js';
import { type MountRecord, records } from '../host/record.js';
import { failure } from './error.js';

export interface StatusCommandOptions {
  json?: boolean;
}

interface Status {
  dir: string;
  /** `served`, `changing`, `stale` (the daemon is dead), `unrecorded`, or `gone` (daemon and mount are). */
  state: string;
  pid: number | null;
  fixture: string | null;
  transport: string | null;
  /** Why reads of constant attributes are not passed through to the kernel; null when they are. */
  noPassthrough: string | null;
  since: string | null;
  log: string | null;
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
  };
}

function lineOf({ dir, state, pid, fixture, transport, noPassthrough }: Status): string {
  const parts = [state];
  if (fixture) parts.push(basename(fixture, '.json'));
  if (transport === 'fuse')
    parts.push(`over fuse, ${noPassthrough ? `no passthrough (${noPassthrough})` : 'passthrough'}`);
  else if (transport) parts.push(`over ${transport}`);
  if (pid !== null) parts.push(`daemon ${pid}`);
  return `${dir}: ${parts.join(', ')}`;
}

/** @returns the exit code: 1 when one directory is asked about and it is not served */
export function status(path: string | undefined, { json = false }: StatusCommandOptions): number {
  const recorded = new Map(records().map((record) => [record.dir, record]));
  const mounted = mounts().filter((entry) => entry.type === `fuse.${MOUNT_SOURCE}`);
  const dirs = new Set([...recorded.keys(), ...mounted.map((entry) => entry.dir)]);
  let all = [...dirs].sort().map((dir) => statusOf(dir, recorded.get(dir)));
  if (path !== undefined) all = all.filter(({ dir }) => dir === canonical(path));
  if (json) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  else for (const one of all) process.stdout.write(`${lineOf(one)}\n`);
  if (path === undefined) return 0;
  if (all.length === 0 && !json) throw failure(`${path}: not mounted; mdevfs mount ${path}`);
  return all[0]?.state === 'served' ? 0 : 1;
}
