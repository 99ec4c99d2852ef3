/**
 * How long calls on an open VFIO device take, beside a server in C that answers the same ones. One client has both open
 * and takes turns, so even a machine that is busy tells how they compare.
 * @module
 */

import { join } from 'node:path';
import { Interrupted, run, startServer, stopServer } from './child.js';
import { compileClient, compileServer, packageRoot } from './compile.js';
import { asClient, asServer } from './cpus.js';
import { startDaemon } from './mdevfs.js';
import { Scope } from './scope.js';
import { mountpoint } from './scratch.js';
import { quantile, speedRatio } from './stats.js';
import { duration, ratio, table } from './table.js';
import { uuidOf } from './tree.js';

const LIMIT_MS = 60_000;

/**
 * Of the turns of each, so many are looked at, the fastest ones. The others may have been interrupted by somebody who had
 * the processor for longer than a turn takes; on a machine that has nothing else to do they are no slower.
 */
const UNDISTURBED = 0.1;

/**
 * How fast each call has to be in relation to C. A structure is copied by another process, which the server in C does without:
 * nothing is asked of that but to be measured.
 */
export const DEVICE_TARGET = 0.85;
const unbounded: readonly string[] = ['ioctl with a struct'];
export const isBounded = ({ what }: DeviceBench): boolean => !unbounded.includes(what);

/** Calls of each kind before any is timed, which is when JavaScript has been compiled. */
const WARM_UP = 20_000;

const TYPE = 'class/mdev_bus/mtty/mdev_supported_types/mtty-1';

/** As devices.c calls them. */
const operations = {
  read: 'region read, 4 bytes',
  ioctl: 'ioctl with a struct',
  doorbell: 'doorbell to eventfd',
};

export interface DeviceBench {
  /** The operation. */
  what: string;
  /** Nanoseconds for one, of each turn. */
  times: number[];
  /** The same of the server in C. */
  c: number[];
  /** How many times faster than C, undisturbed. */
  ratio: number | undefined;
  /** Median of the ratios of each round, disturbed or not. */
  medianRatio: number | undefined;
}

/** @param text lines of devices.c @returns times by operation, first ours */
export function parseTimes(text: string): Map<string, number[][]> {
  const times = new Map<string, number[][]>();
  for (const line of text.trim().split('\n')) {
    const one = JSON.parse(line) as { operation: string; server: number; times: number[] };
    const servers = times.get(one.operation) ?? [];
    servers[one.server] = one.times;
    times.set(one.operation, servers);
  }
  return times;
}

/** @param times by operation, as {@link parseTimes} has them */
export function compareTimes(times: ReadonlyMap<string, number[][]>): DeviceBench[] {
  return Object.entries(operations).map(([name, what]) => {
    const [ours = [], c = []] = times.get(name) ?? [];
    const [fastest, fastestC] = [quantile(ours, UNDISTURBED), quantile(c, UNDISTURBED)];
    return {
      what,
      times: ours,
      c,
      ratio: fastest && fastestC && fastestC / fastest,
      medianRatio: speedRatio(new Map(ours.entries()), new Map(c.entries())),
    };
  });
}

async function measure(scope: Scope, rounds: number): Promise<string> {
  const [server, client] = [await compileServer('libfuse3-vfio'), await compileClient('devices')];
  const dev = mountpoint(scope);
  const { dir } = await startDaemon(scope, [
    '--fixture',
    join(packageRoot, 'fixtures/samples.json'),
    '--dev',
    dev,
  ]);
  const script = ['sh', '-c', 'echo "$1" >"$2"', 'sh', uuidOf(0), `${dir}/${TYPE}/create`];
  await run(script, LIMIT_MS);
  const cDev = mountpoint(scope);
  const child = await startServer(asServer([server, cDev]), LIMIT_MS);
  scope.defer(async () => {
    await stopServer(child, LIMIT_MS);
  });
  const files = [`${dev}/iommu`, `${dev}/vfio/devices/vfio0`, `${cDev}/iommu`, `${cDev}/device`];
  return run(asClient([client!, String(WARM_UP), String(rounds), ...files]), LIMIT_MS);
}

/** @param rounds turns that each of both has with each operation, of 50 calls that are timed */
export async function measureDevices(rounds: number): Promise<DeviceBench[]> {
  try {
    return compareTimes(parseTimes(await Scope.with((scope) => measure(scope, rounds))));
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    console.log(`VFIO devices: left out: ${(error as Error).message}`);
    return compareTimes(new Map());
  }
}

export function devicesTable(results: readonly DeviceBench[]): string {
  return table(
    ['operation', 'mdevfs', 'C', 'times as fast as C', 'median of rounds'],
    results.map(({ what, times, c, ratio: speed, medianRatio }) => [
      what,
      duration(quantile(times, UNDISTURBED)),
      duration(quantile(c, UNDISTURBED)),
      ratio(speed),
      ratio(medianRatio),
    ]),
  );
}
