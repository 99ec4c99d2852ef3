/**
 * Everything that was measured, one number each, and the questions that the report asks of it.
 * @module
 */

import type { Placement } from './cpus.js';
import type { Requests } from './round-trips.js';
import { median, speedRatio } from './stats.js';

export const operations = [
  'open+read+close',
  'cat',
  'open+read+close, changing',
  'stat',
  'readlink',
  'readdir',
  'find',
  'ls -lR',
  'create',
  'remove',
] as const;

export type Operation = (typeof operations)[number];

export interface Sample {
  candidate: string;
  operation: Operation;
  placement: Placement;
  devices: number;
  round: number;
  /** First of its kind, the kernel remembers nothing yet. */
  cold: boolean;
  /** How often it was done. */
  count: number;
  /** Nanoseconds for one: in the median of this sample. */
  p50: number;
  /** On average. */
  mean: number;
}

/** Requests that somebody waited for. */
export interface RoundTrips extends Requests {
  candidate: string;
  operation: Operation;
  devices: number;
}

export interface Skipped {
  candidate: string;
  operation?: Operation;
  devices?: number;
  reason: string;
}

export interface Idle {
  candidate: string;
  seconds: number;
  wakeups: number;
}

/** One kind of measurement. */
export interface Kind {
  candidate: string;
  operation: Operation;
  placement: Placement;
  devices: number;
}

export class Samples {
  readonly all: Sample[] = [];
  readonly roundTrips: RoundTrips[] = [];
  readonly skipped: Skipped[] = [];
  readonly idle: Idle[] = [];

  /** Times by round, warm. */
  times({ candidate, operation, placement, devices }: Kind): Map<number, number> {
    return new Map(
      this.all
        .filter(
          (sample) =>
            !sample.cold &&
            sample.candidate === candidate &&
            sample.operation === operation &&
            sample.placement === placement &&
            sample.devices === devices,
        )
        .map((sample) => [sample.round, sample.p50]),
    );
  }

  time(kind: Kind): number | undefined {
    return median([...this.times(kind).values()]);
  }

  /** How many times faster than the baseline. */
  ratio(kind: Kind, baseline: Partial<Kind>): number | undefined {
    return speedRatio(this.times(kind), this.times({ ...kind, ...baseline }));
  }

  cold({ candidate, operation, devices }: Omit<Kind, 'placement'>): number | undefined {
    return this.all.find(
      (sample) =>
        sample.cold &&
        sample.candidate === candidate &&
        sample.operation === operation &&
        sample.devices === devices,
    )?.p50;
  }

  trips({ candidate, operation, devices }: Omit<Kind, 'placement'>): RoundTrips | undefined {
    return this.roundTrips.find(
      (one) => one.candidate === candidate && one.operation === operation && one.devices === devices,
    );
  }

  /** Numbers of devices with a measurement of this operation, ascending. */
  sizes(operation?: Operation): number[] {
    const all = this.all.filter((sample) => operation === undefined || sample.operation === operation);
    return [...new Set(all.map(({ devices }) => devices))].sort((a, b) => a - b);
  }

  candidates(): string[] {
    return [...new Set(this.all.map(({ candidate }) => candidate))];
  }
}
