/**
 * What the project promises of its speed, and whether this run bears it out. The numbers are promises: they are not
 * adjusted to what was measured.
 * @module
 */

import type { Placement } from './cpus.js';
import { DEVICE_TARGET, type DeviceBench, isBounded } from './devices.js';
import { FEW } from './measure.js';
import type { Operation, Samples } from './samples.js';

export interface Target {
  what: string;
  /** At least so much, or at most. */
  bound: '>=' | '<=';
  wanted: number;
  /** Undefined when it was not measured. */
  measured: number | undefined;
  /** Why it was not measured. */
  missing?: string;
}

export function isMet({ bound, wanted, measured }: Target): boolean | undefined {
  if (measured === undefined) return undefined;
  return bound === '>=' ? measured >= wanted : measured <= wanted;
}

const SCALE = 100_000;
const LARGE = 10_000;

/**
 * Which candidate reads through the server, and which by passthrough. The daemon may be one that has no passthrough,
 * or this kernel may have none; the requests of a read tell.
 */
export function readers(samples: Samples): { direct: string | undefined; passthrough: string | undefined } {
  const isMeasured = (candidate: string): boolean => samples.candidates().includes(candidate);
  const hasDirect = isMeasured('fuse-direct');
  const trips = samples.roundTrips.find(
    ({ candidate, operation }) => candidate === 'fuse' && operation === 'open+read+close',
  );
  const passes = trips ? (trips.requests.READ ?? 0) < 0.5 : hasDirect;
  return {
    direct: hasDirect ? 'fuse-direct' : isMeasured('fuse') && !passes ? 'fuse' : undefined,
    passthrough: isMeasured('fuse') && passes ? 'fuse' : undefined,
  };
}

export function targets(
  samples: Samples,
  scale = SCALE,
  startup?: number,
  devices: readonly DeviceBench[] = [],
): Target[] {
  const { direct, passthrough } = readers(samples);

  const faster = (
    what: string,
    wanted: number,
    candidate: string | undefined,
    operation: Operation,
    baseline: string,
    placement: Placement = 'one',
    devices?: number,
  ): Target => {
    // As many devices as there are measurements of both for, unless the target says how many.
    const measured =
      candidate === undefined
        ? undefined
        : (devices === undefined ? samples.sizes(operation) : [devices])
            .map((size) =>
              samples.ratio({ candidate, operation, placement, devices: size }, { candidate: baseline }),
            )
            .findLast((one) => one !== undefined);
    const missing = candidate === undefined ? 'no such reader here' : 'not measured';
    return { what, bound: '>=', wanted, measured, ...(measured === undefined ? { missing } : {}) };
  };

  const reading: [Operation, Placement, string, number, number][] = [
    ['open+read+close', 'one', 'one CPU', 0.65, 0.95],
    ['cat', 'one', 'one CPU', 0.75, 1.4],
    ['open+read+close', 'two', 'two CPUs', 0.85, 1.6],
  ];
  const list: Target[] = [];
  for (const [operation, placement, cpus, directly, through] of reading) {
    list.push(faster(`${operation}, ${cpus}, direct I/O: x C`, directly, direct, operation, 'c', placement));
    list.push(
      faster(`${operation}, ${cpus}, passthrough: x C`, through, passthrough, operation, 'c', placement),
    );
  }
  for (const operation of ['stat', 'readlink'] as const)
    list.push(faster(`${operation}, warm: x sysfs`, 0.9, 'fuse', operation, 'sysfs'));
  for (const operation of ['find', 'ls -lR'] as const)
    list.push(
      faster(`${operation}, warm, 10,000 devices: x tmpfs`, 1, 'fuse', operation, 'tmpfs', 'one', LARGE),
    );
  for (const operation of ['create', 'remove'] as const) {
    const kind = { candidate: 'fuse', operation, placement: 'one' } as const;
    const many = samples.ratio({ ...kind, devices: FEW }, { devices: scale });
    list.push({
      what: `${operation}: p50 at 100,000 devices / at 100`,
      bound: '<=',
      wanted: 1.3,
      measured: scale === SCALE ? many : undefined,
      missing: 'not measured',
    });
    list.push(
      faster(`${operation}, one CPU: x fuse-native`, 3, 'fuse', operation, 'fuse-native', 'one', FEW),
    );
  }
  const idle = samples.idle.find(({ candidate }) => candidate === 'fuse');
  list.push({
    what: 'idle: wake-ups a second',
    bound: '<=',
    wanted: 0,
    measured: idle && idle.wakeups / idle.seconds,
    missing: 'not measured',
  });
  list.push({
    what: 'mdevfs run -- true, to its end: x node -e 0',
    bound: '<=',
    wanted: 5,
    measured: startup,
    missing: 'not measured',
  });
  for (const { what, ratio } of devices.filter(isBounded))
    list.push({
      what: `${what}, one CPU: x C`,
      bound: '>=',
      wanted: DEVICE_TARGET,
      measured: ratio,
      missing: 'not measured',
    });
  return list;
}
