/**
 * Replays every recording of a folder on a bench and reports.
 * @module
 */

import type { Bench, NotReplayed } from './bench.js';
import { families } from './family.js';
import { type Case, discover, type RecordingFile, readLines } from './recording.js';
import type { Report } from './report.js';

export interface ReplayOptions {
  /** The folder of recordings. */
  dir: string;
  /** Only files whose name, or cases whose id, holds this pattern. */
  only?: RegExp | undefined;
}

export async function replay({ dir, only }: ReplayOptions, bench: Bench, report: Report): Promise<void> {
  const files = discover(dir);
  const wanted = (name: string): boolean => only === undefined || only.test(name);

  for (const family of families(files.filter(({ kind }) => kind === 'snapshot'))) {
    const states = [...family.states.values()];
    if (!states.some(({ name }) => wanted(name))) continue;
    const results = await bench.replayFamily(family);
    if (!Array.isArray(results)) {
      for (const { name } of states) report.notReplayed(name, results.reason);
      continue;
    }
    for (const { file, nodes } of results) {
      report.begin(file);
      report.nodes(nodes);
      report.end('nodes');
    }
  }

  for (const file of files.filter(({ kind }) => kind === 'cases'))
    await replayCases(file, wanted, bench, report);

  for (const file of files.filter(({ kind, name }) => kind === 'uevents' && wanted(name))) {
    const results = await bench.replayUevents(file);
    if (isNotReplayed(results)) {
      report.notReplayed(file.name, results.reason);
      continue;
    }
    report.begin(file.name);
    report.events(results);
    report.end('events');
  }
}

async function replayCases(
  file: RecordingFile,
  wanted: (name: string) => boolean,
  bench: Bench,
  report: Report,
): Promise<void> {
  const all = wanted(file.name);
  const cases = readLines<Case>(file.path).filter(({ id }) => all || wanted(id));
  if (cases.length === 0) return;
  report.begin(file.name);
  for (const recording of cases) report.steps(recording, await bench.replayCase(recording));
  report.end('steps');
}

const isNotReplayed = (results: unknown): results is NotReplayed => !Array.isArray(results);
