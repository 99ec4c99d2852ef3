/**
 * Runs a scenario: with a time limit, and with an end of everything that it started.
 * @module
 */

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Interrupted } from '../bench/child.js';
import { Scope } from '../bench/scope.js';
import { noMounts } from '../mount/mounted.js';
import { limitWaits, TooLong } from './client.js';
import { lackingTools, Programs } from './programs.js';
import { type Figures, noFigures, type Scenario } from './scenario.js';
import { scratchFolder } from './scratch.js';

const folder = new URL('./scenarios/', import.meta.url);

/** Names of all scenarios, which are those of their files. */
export function scenarioNames(): string[] {
  return readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith('.js'))
    .map((name) => name.slice(0, -3))
    .sort();
}

export async function scenarioOf(name: string): Promise<Scenario> {
  return ((await import(new URL(`${name}.js`, folder).href)) as { default: Scenario }).default;
}

/** Why a scenario cannot be run here; undefined when it can. */
export const lackingOf = (scenario: Scenario): string | undefined =>
  noMounts() ?? lackingTools() ?? scenario.lacking?.();

export interface Outcome {
  figures: Figures;
  seconds: number;
}

export interface Run {
  brief: boolean;
  seconds: number;
  seed: number;
}

/** Longer than any scenario needs, besides the time that it is given. */
const LIMIT_MS = { brief: 100_000, long: 240_000 };

/** @throws Interrupted */
export async function perform(scenario: Scenario, { brief, seconds, seed }: Run): Promise<Outcome> {
  const figures = noFigures();
  const start = performance.now();
  limitWaits((brief ? LIMIT_MS.brief : (scenario.limit ?? LIMIT_MS.long)) + seconds * 1000);
  await Scope.with(async (scope) => {
    const programs = new Programs(scratchFolder(scope));
    try {
      await scenario.run({ scope, programs, brief, seconds, seed }, figures);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      if (error instanceof TooLong) figures.hung++;
      figures.wrong.push((error as Error).message);
    }
  });
  return { figures, seconds: (performance.now() - start) / 1000 };
}
