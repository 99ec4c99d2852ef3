/**
 * What a run says in the end: ratios, absolute times, round trips, and the targets.
 * @module
 */

import type { Placement } from './cpus.js';
import { type Operation, operations, type Samples } from './samples.js';
import { duration, ratio, table, thousands } from './table.js';
import { isMet, type Target } from './targets.js';

/** What each operation is compared with. */
const baselines: Record<Operation, string> = {
  'open+read+close': 'c',
  cat: 'c',
  'open+read+close, changing': 'c',
  stat: 'sysfs',
  readlink: 'sysfs',
  readdir: 'tmpfs',
  find: 'tmpfs',
  'ls -lR': 'tmpfs',
  create: 'fuse-native',
  remove: 'fuse-native',
};

interface Row {
  operation: Operation;
  placement: Placement;
  devices: number;
}

function rowsOf(samples: Samples): Row[] {
  const rows: Row[] = [];
  for (const operation of operations)
    for (const placement of ['one', 'two'] as const)
      for (const devices of samples.sizes(operation)) rows.push({ operation, placement, devices });
  return rows.filter(({ operation, placement, devices }) =>
    samples
      .candidates()
      .some((candidate) => samples.time({ candidate, operation, placement, devices }) !== undefined),
  );
}

export function ratioTable(samples: Samples): string {
  const candidates = samples.candidates();
  const rows = rowsOf(samples).map(({ operation, placement, devices }) => {
    const baseline = baselines[operation];
    return [
      operation,
      placement,
      thousands(devices),
      baseline,
      ...candidates.map((candidate) =>
        ratio(samples.ratio({ candidate, operation, placement, devices }, { candidate: baseline })),
      ),
    ];
  });
  return table(
    ['operation', 'CPUs', 'devices', 'times faster than', ...candidates],
    // A row in which nothing could be compared says nothing.
    rows.filter((row) => row.slice(4).some((cell) => cell !== '')),
    2,
  );
}

export function timeTable(samples: Samples): string {
  const candidates = samples.candidates();
  return table(
    ['operation', 'CPUs', 'devices', ...candidates],
    rowsOf(samples).map(({ operation, placement, devices }) => [
      operation,
      placement,
      thousands(devices),
      ...candidates.map((candidate) => duration(samples.time({ candidate, operation, placement, devices }))),
    ]),
    2,
  );
}

/** Walks of a tree that the kernel has not seen yet. */
export function coldTable(samples: Samples): string {
  const candidates = samples
    .candidates()
    .filter((candidate) => samples.all.some((sample) => sample.cold && sample.candidate === candidate));
  const rows = (['find', 'ls -lR'] as const).flatMap((operation) =>
    samples
      .sizes(operation)
      .map((devices) => [
        operation === 'find' ? 'find, first' : 'ls -lR, first, after find',
        thousands(devices),
        ...candidates.map((candidate) => duration(samples.cold({ candidate, operation, devices }))),
      ]),
  );
  return table(
    ['operation', 'devices', ...candidates],
    rows.filter((row) => row.slice(2).some((cell) => cell !== '')),
  );
}

/** @returns undefined when no daemon counts */
export function tripTable(samples: Samples): string | undefined {
  if (samples.roundTrips.length === 0) return undefined;
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .map(([name, each]) => (each === 1 ? name : `${each} ${name}`))
      .join(', ');
  const rows = new Map<string, { cells: string[]; devices: string[]; perOperation: number }>();
  for (const { candidate, operation, devices, perOperation, requests, notifications } of samples.roundTrips) {
    const cells = [candidate, operation, list(requests), list(notifications)];
    const key = cells.join('\n');
    const row = rows.get(key) ?? { cells, devices: [], perOperation };
    row.devices.push(thousands(devices));
    rows.set(key, row);
  }
  return table(
    ['candidate', 'operation', 'requests', 'notified', 'devices', 'round trips'],
    [...rows.values()].map(({ cells, devices, perOperation }) => [
      ...cells,
      devices.join(' and '),
      String(perOperation),
    ]),
    4,
  );
}

export function targetTable(list: readonly Target[]): string {
  return table(
    ['target', 'met', 'wanted', 'measured'],
    list.map((target) => {
      const met = isMet(target);
      return [
        target.what,
        met === undefined ? '?' : met ? 'yes' : 'NO',
        `${target.bound} ${target.wanted}`,
        target.measured === undefined ? (target.missing ?? '') : ratio(target.measured),
      ];
    }),
    2,
  );
}

export function skippedLines(samples: Samples): string[] {
  return samples.skipped.map(({ candidate, operation, devices, reason }) => {
    const where = [
      candidate,
      ...(operation ? [operation] : []),
      ...(devices === undefined ? [] : [`${thousands(devices)} devices`]),
    ];
    return `left out: ${where.join(', ')}: ${reason}`;
  });
}
