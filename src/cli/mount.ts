/**
 * `mdevfs mount`: shows a machine's sysfs at a directory. Looks first whether that can work, starts the daemon,
 * and comes back when the tree answers.
 * @module
 */

import { accessSync, constants, readdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { isStartedDaemon, startDaemon } from '../host/daemon.js';
import { withLock } from '../host/lock.js';
import { umountLazy } from '../host/mount.js';
import { mountName, openMountPlace } from '../host/mount-place.js';
import { mountpointState } from '../host/mountpoint.js';
import { closePlace } from '../host/path-walk.js';
import { lockFileOf, logFileOf } from '../host/record.js';
import { CommandError, failure, reportFailure } from './error.js';
import { DEFAULT_FIXTURE, fixtureFile } from './fixture.js';
import { withProgress } from './progress.js';
import type { TransportName, UeventTarget } from './serve.js';

export interface MountCommandOptions {
  fixture?: string;
  transport: TransportName;
  foreground?: boolean;
  /** Whether reads may be passed through to the kernel. */
  passthrough: boolean;
  /** Whether uevents go to the kernel's listeners in this network namespace. */
  uevents?: boolean;
  /** Whether they go to udev's too. */
  udev?: boolean;
  /** File that keeps the machine's state. */
  state?: string;
  /** Where to show the character devices. */
  dev?: string;
}

interface Wanted {
  /** Absolute path of the fixture. */
  fixture: string;
  /** Whether the user asked for this fixture, and not for whatever there is. */
  named: boolean;
  transport: TransportName;
  passthrough: boolean;
  uevents: UeventTarget | undefined;
  /** Absolute path of the file that keeps the machine's state. */
  state: string | undefined;
  /** Absolute path of where to show the character devices. */
  dev: string | undefined;
}

const FUSE_DEVICE = '/dev/fuse';

/** @returns the exit code */
export async function mount(path: string, options: MountCommandOptions): Promise<number> {
  const { transport, passthrough } = options;
  const uevents: UeventTarget | undefined = options.udev ? 'udev' : options.uevents ? 'kernel' : undefined;
  const state = options.state === undefined ? undefined : resolve(options.state);
  const dev = options.dev === undefined ? undefined : mountName(options.dev);
  const fixture = fixtureFile(options.fixture ?? DEFAULT_FIXTURE);
  const wanted = {
    fixture,
    named: options.fixture !== undefined,
    transport,
    passthrough,
    uevents,
    state,
    dev,
  };
  if (transport === 'fuse' || dev !== undefined) assertMayMount();
  const dir = mountName(path);
  // Whoever started this process as a daemon looked already, and holds the lock.
  if (isStartedDaemon()) return serveToTheEnd(dir, wanted, logFileOf(dir));
  if (!options.foreground) return withLock(lockFileOf(dir), dir, () => mountInBackground(dir, wanted));
  if (await withLock(lockFileOf(dir), dir, () => prepareAll(dir, wanted)))
    return serveToTheEnd(dir, wanted, null);
  return alreadyMounted(dir);
}

async function mountInBackground(dir: string, wanted: Wanted): Promise<number> {
  if (!(await prepareAll(dir, wanted))) return alreadyMounted(dir);
  const { fixture, transport, passthrough, uevents, state, dev } = wanted;
  const log = logFileOf(dir);
  const command = ['mount', '--foreground', '--transport', transport, '--fixture', fixture];
  if (!passthrough) command.push('--no-passthrough');
  if (uevents) command.push(uevents === 'udev' ? '--udev' : '--uevents');
  if (state !== undefined) command.push('--state', state);
  if (dev !== undefined) command.push('--dev', dev);
  command.push('--', dir);
  const { pid, faults, exitCode } = await withProgress(
    `building ${basename(fixture, '.json')}`,
    startDaemon(command, log),
  );
  if (faults.length > 0) throw new CommandError(faults, exitCode);
  // This process is not the one that answers, so it may look.
  if (readdirSync(dir).length === 0) throw failure(`${dir}: mounted, but the tree is empty; see ${log}`);
  process.stdout.write(`${dir}: mounted (daemon ${pid}, log ${log})\n`);
  return 0;
}

function alreadyMounted(dir: string): number {
  process.stdout.write(`${dir}: already mounted\n`);
  return 0;
}

async function serveToTheEnd(dir: string, wanted: Wanted, log: string | null): Promise<never> {
  const { serve } = await import('./serve.js');
  const exitCode = await serve(dir, { ...wanted, log }).catch(reportFailure);
  // libfuse keeps the event loop going also when nothing is mounted any more.
  process.exit(exitCode);
}

/** @throws CommandError when this process cannot mount at all */
function assertMayMount(): void {
  if (process.geteuid?.() !== 0) throw failure('mounting needs root; run it with sudo');
  try {
    accessSync(FUSE_DEVICE, constants.R_OK | constants.W_OK);
  } catch {
    throw failure(
      `${FUSE_DEVICE} is not there or not usable; modprobe fuse, or start the container with --device ${FUSE_DEVICE} --cap-add SYS_ADMIN`,
    );
  }
}

/** The same as {@link prepare}, of where the devices go, too. */
async function prepareAll(dir: string, wanted: Wanted): Promise<boolean> {
  if (!(await prepare(dir, wanted))) return false;
  if (wanted.dev !== undefined) await prepareDev(wanted.dev);
  return true;
}

async function prepareDev(dev: string): Promise<void> {
  const state = mountpointState(dev);
  if (state.kind === 'absent') closePlace(openMountPlace(dev, true));
  else if (state.kind === 'free' && state.entries.length === 0) closePlace(openMountPlace(dev));
  else if (state.kind === 'stale') {
    await umountLazy(state.mount);
    await prepareDev(dev);
  } else throw failure(`${dev}: not an empty directory; choose one for --dev`);
}

/**
 * Makes the directory ready for a mount: creates it, or clears what a dead daemon left.
 * @returns false when it already shows what is wanted
 * @throws CommandError when it is taken
 */
async function prepare(dir: string, wanted: Wanted): Promise<boolean> {
  const state = mountpointState(dir);
  switch (state.kind) {
    case 'absent':
      closePlace(openMountPlace(dir, true));
      return true;
    case 'free':
      if (state.entries.length === 0) {
        // The daemon looks again. Here it is told before there is one.
        closePlace(openMountPlace(dir));
        return true;
      }
      throw failure(`${dir}: not empty (${state.entries[0]}, ...); choose an empty directory`);
    case 'not-a-directory':
      throw failure(`${dir}: not a directory; choose an empty directory`);
    case 'stale':
      await umountLazy(state.mount);
      process.stderr.write(`mdevfs: ${dir}: cleared the mount of a dead daemon\n`);
      return prepare(dir, wanted);
    case 'unrecorded':
      throw failure(`${dir}: already mounted by an mdevfs that left no record; umount ${dir} first`);
    case 'changing':
      throw failure(`${dir}: mdevfs (pid ${state.record.pid}) is mounting or unmounting there; try again`);
    case 'foreign':
      throw failure(`${dir}: ${state.mount.type} is mounted there; choose another directory`);
    case 'served': {
      const { fixture, transport, noPassthrough, state: kept, dev: devices } = state.record;
      if (wanted.state !== undefined && wanted.state !== kept) {
        const where = kept ? `with its state in ${kept}` : 'and keeps no state';
        throw failure(`${dir}: already mounted, ${where}; mdevfs umount ${dir} first`);
      }
      if (wanted.dev !== undefined && wanted.dev !== devices) {
        const where = devices ? `with its devices at ${devices}` : 'without its devices';
        throw failure(`${dir}: already mounted, ${where}; mdevfs umount ${dir} first`);
      }
      const unwanted = noPassthrough === null && !wanted.passthrough;
      const fits = transport === wanted.transport && !unwanted;
      if (fits && (!wanted.named || fixture === wanted.fixture)) return false;
      const how = unwanted ? `${transport} with passthrough` : transport;
      throw failure(`${dir}: already shows ${fixture} over ${how}; mdevfs umount ${dir} first`);
    }
  }
}
