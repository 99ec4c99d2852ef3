/**
 * The server of a mount, in the foreground: makes the machine, mounts its sysfs, and stays until it is
 * unmounted or told to end.
 * @module
 */

import { FuseNativeTransport } from '../fuse/fuse-native.js';
import type { Mounted, Transport } from '../fuse/transport.js';
import { isStartedDaemon, reportToStarter } from '../host/daemon.js';
import { type DeviceMount, mountDevices } from '../host/device-mount.js';
import { FuseTransport, umountAt } from '../host/mount.js';
import { dropEmptyLog, dropRecord, startTime, takeRecord, updateRecord } from '../host/record.js';
import { wayOut } from '../host/state-file.js';
import { startUevents, type UeventSending } from '../host/uevents.js';
import { FixtureError } from '../machine/fixture.js';
import { Machine } from '../machine/machine.js';
import { PutBackError } from '../machine/put-back.js';
import { asCommandError, CommandError, failure } from './error.js';
import { commandErrorOf, packageFixtures, readFixture } from './read-fixture.js';
import { KeptState } from './state.js';

export type TransportName = 'fuse' | 'fuse-native';

/** `udev` is to the kernel's group and to udev's. */
export type UeventTarget = 'kernel' | 'udev';

export interface ServeOptions {
  /** Absolute path of the fixture. */
  fixture: string;
  transport: TransportName;
  /** Whether reads may be passed through to the kernel. */
  passthrough: boolean;
  /** Where uevents go in this network namespace; nowhere when not given. */
  uevents?: UeventTarget | undefined;
  /** Absolute path of the file that keeps the machine's state; not kept when not given. */
  state?: string | undefined;
  /** Absolute path of the directory that shows the character devices; nowhere when not given. */
  dev?: string | undefined;
  /** Where this process writes its log, when it is a daemon. */
  log: string | null;
}

export const log = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Has faults outside of any request logged: they must not take the tree away from everybody. */
export function outliveFaults(): void {
  // Whoever read the log may be gone, and that is nothing to log.
  process.stderr.on('error', () => {});
  process.on('uncaughtException', (error) => log(`mdevfs: ${error.stack}`));
}

/** @throws CommandError when the fixture or the machine has a fault */
export function machineOf(file: string): Machine {
  return bringUp(file, () => Machine.fromFixture(readFixture(file), { fixtures: packageFixtures }));
}

function bringUp<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof FixtureError) throw commandErrorOf(file, error);
    if (isStartedDaemon()) log(`mdevfs: ${(error as Error).stack}`);
    throw failure(`fixture ${file}: the machine does not come up: ${(error as Error).message}`);
  }
}

/** The machine as it was before, and from now on kept so. */
function machineWithState(file: string, path: string): Machine {
  const state = KeptState.open(
    path,
    bringUp(file, () => readFixture(file)),
  );
  const machine = bringUp(file, () => {
    try {
      return Machine.fromFixture(state.fixture, { fixtures: packageFixtures, state: state.state });
    } catch (error) {
      if (!(error instanceof PutBackError)) throw error;
      throw failure(
        `${state.file}: cannot be put back on the machine of ${file}: ${error.message}; it is left as it is. ${wayOut}`,
      );
    }
  });
  state.keep(machine, log);
  return machine;
}

function transportOf(name: TransportName): Transport {
  return name === 'fuse-native' ? new FuseNativeTransport(umountAt) : new FuseTransport();
}

/** Leaves nothing mounted when it fails. */
async function showDevices(machine: Machine, dev: string, mounted: Mounted): Promise<DeviceMount> {
  try {
    const devices = await mountDevices(machine, dev, log);
    mounted.before?.(devices.catchUp);
    return devices;
  } catch (error) {
    await mounted.unmount();
    throw failure(`${dev}: ${(error as Error).message}`);
  }
}

/** Leaves nothing mounted when it fails. */
async function sendUevents(machine: Machine, mounted: Mounted, target: UeventTarget): Promise<UeventSending> {
  try {
    return await startUevents(machine, { mounted, udev: target === 'udev', log });
  } catch (error) {
    await mounted.unmount();
    throw failure((error as Error).message);
  }
}

/** @returns the exit code, when the tree is no longer served */
export async function serve(
  dir: string,
  { fixture, transport, passthrough, uevents, state, dev, log: logFile }: ServeOptions,
): Promise<number> {
  const record = {
    dir,
    pid: process.pid,
    started: startTime(process.pid)!,
    fixture,
    transport,
    noPassthrough: null,
    log: logFile,
    state: state ?? null,
    dev: dev ?? null,
    since: null,
  };
  outliveFaults();
  let recorded = false;
  try {
    const machine = state === undefined ? machineOf(fixture) : machineWithState(fixture, state);
    recorded = takeRecord(record);
    if (!recorded) throw failure(`${dir}: another mdevfs is about to mount there`);
    const mounted = await transportOf(transport).mount(machine.sysfs, dir, {
      log,
      counts: machine.control,
      passthrough,
    });
    const devices = dev === undefined ? undefined : await showDevices(machine, dev, mounted);
    const sending = uevents && (await sendUevents(machine, mounted, uevents));
    const end = (): void => {
      mounted.unmount().catch((error: Error) => log(`mdevfs: ${dir}: ${error.message}`));
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
    const noPassthrough = mounted.noPassthrough ?? null;
    updateRecord({ ...record, noPassthrough, since: new Date().toISOString() });
    if (!reportToStarter({ faults: [], exitCode: 0 })) process.stdout.write(`${dir}\n`);
    await mounted.done;
    sending?.close();
    await devices?.unmount();
    return 0;
  } catch (error) {
    const { faults, exitCode } = asCommandError(error);
    if (isStartedDaemon() && !(error instanceof CommandError)) log(`mdevfs: ${(error as Error).stack}`);
    if (reportToStarter({ faults: [...faults], exitCode })) return exitCode;
    throw error;
  } finally {
    if (recorded) dropRecord(dir);
    if (logFile) dropEmptyLog(dir);
  }
}
