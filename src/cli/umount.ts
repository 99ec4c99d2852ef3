/**
 * `mdevfs umount`: takes a tree away and waits for its daemon to end.
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { umount as hostUmount, umountLazy } from '../host/mount.js';
import { mountName } from '../host/mount-place.js';
import type { MountEntry } from '../host/mountinfo.js';
import { mountpointState, usersOf } from '../host/mountpoint.js';
import { dropEmptyLog, dropRecord, isAlive, type MountRecord } from '../host/record.js';
import { failure } from './error.js';

export interface UmountCommandOptions {
  lazy?: boolean;
}

/** How long a daemon may take to end once nothing is mounted any more, in steps. */
const STEPS = 250;
const STEP_MS = 20;

/** @returns the exit code */
export async function umount(path: string, { lazy = false }: UmountCommandOptions): Promise<number> {
  const dir = mountName(path);
  // This process may have been started inside.
  process.chdir('/');
  const state = mountpointState(dir);
  switch (state.kind) {
    case 'served':
      await detach(state.mount, lazy);
      await ended(state.record);
      return 0;
    case 'stale':
      await umountLazy(state.mount);
      if (state.record?.dev) {
        const devices = mountpointState(state.record.dev);
        if (devices.kind === 'stale') await umountLazy(devices.mount);
      }
      dropRecord(dir);
      dropEmptyLog(dir);
      return 0;
    case 'unrecorded':
      await detach(state.mount, lazy);
      return 0;
    case 'changing':
      throw failure(`${dir}: mdevfs (pid ${state.record.pid}) is mounting or unmounting there; try again`);
    case 'foreign':
      throw failure(`${dir}: what is mounted there is ${state.mount.type}, not mdevfs; umount ${dir}`);
    default:
      throw failure(`${dir}: not mounted; see mdevfs status`);
  }
}

async function detach(mount: MountEntry, lazy: boolean): Promise<void> {
  if (lazy) return umountLazy(mount);
  try {
    await hostUmount(mount);
  } catch (error) {
    const { dir } = mount;
    const users = usersOf(dir);
    if (users.length === 0) throw failure(`${dir}: ${(error as Error).message}`);
    throw failure(`${dir}: in use by ${users.join(', ')}; end that first, or mdevfs umount --lazy ${dir}`);
  }
}

async function ended(record: MountRecord): Promise<void> {
  try {
    process.kill(record.pid, 'SIGTERM');
  } catch {
    return;
  }
  for (let step = 0; step < STEPS; step++) {
    if (!isAlive(record)) return;
    await sleep(STEP_MS);
  }
  throw failure(`${record.dir}: unmounted, but its daemon (pid ${record.pid}) does not end; kill it`);
}
