/**
 * What all scenarios have in common. Each is a file in `scenarios/`, named after the behaviour that it asks for, whose
 * default export is a {@link Scenario}; a new one is a new file.
 * @module
 */

import type { Scope } from '../bench/scope.js';
import type { Programs } from './programs.js';

/** What a scenario found. */
export interface Figures {
  /** Calls that were made. */
  operations: number;
  /** Processes that were killed. */
  kills: number;
  /** Times that somebody saw what was not true any more. */
  stale: number;
  /** Calls that did not end when they had to. */
  hung: number;
  /** Descriptors, devices and holders that were left in the daemon. */
  leaked: number;
  /** Milliseconds that somebody waited for a call who did nothing wrong. */
  worst: number;
  /** Kilobytes of the daemon, at the start and at the end; 0 when it is not known. */
  rss: [number, number];
  /** What a kernel would not have done, a sentence each. */
  wrong: string[];
  /** What else is worth knowing. */
  notes: string[];
}

export const noFigures = (): Figures => ({
  operations: 0,
  kills: 0,
  stale: 0,
  hung: 0,
  leaked: 0,
  worst: 0,
  rss: [0, 0],
  wrong: [],
  notes: [],
});

export interface Context {
  /** Ends with the scenario, also when that fails or is interrupted. */
  scope: Scope;
  programs: Programs;
  /** Whether it is a slice for CI: a few seconds and bounded counts. */
  brief: boolean;
  /** How long to go on with what has no end of its own. */
  seconds: number;
  seed: number;
}

export interface Scenario {
  /** A sentence of what is right. */
  name: string;
  /** Why it cannot be run here; undefined when it can. */
  lacking?(): string | undefined;
  /** Milliseconds after which it is not waited for any longer. */
  limit?: number;
  run(context: Context, figures: Figures): Promise<void>;
}

/** Whether everything was right. */
export const isRight = ({ stale, hung, leaked, wrong }: Figures): boolean =>
  stale === 0 && hung === 0 && leaked === 0 && wrong.length === 0;
