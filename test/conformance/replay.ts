/**
 * Replays every recording of a folder on a bench and reports.
 * @module
 */

import type { Bench, NotReplayed } from './bench.js';
import { families } from './family.js';
import { type Case, discover, type RecordingFile, readLines } from './recording.js';
import type { Report } from './report.js';
import { readTrace } from './trace.js';

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

  for (const file of files) {
    if (file.kind === 'cases') await onSysfs(file, readLines<Case>(file.path), wanted, bench, report);
    if (file.kind === 'ioctl') await onDevices(file, readLines<Case>(file.path), wanted, bench, report);
    if (file.kind === 'trace') await onDevices(file, [readTrace(file)], wanted, bench, report);
  }

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

/** Under `mdevfs run` the tree of a mount is shown, in pieces. */
async function onSysfs(
  file: RecordingFile,
  cases: readonly Case[],
  wanted: (name: string) => boolean,
  bench: Bench,
  report: Report,
): Promise<void> {
  if (bench.over !== 'run') await replayCases(file, cases, wanted, bench, report);
  else if (wanted(file.name)) report.notReplayed(file.name, 'the tree is that of a mount: --over mount');
}

/** What needs device files can be replayed where there are some. */
async function onDevices(
  file: RecordingFile,
  cases: readonly Case[],
  wanted: (name: string) => boolean,
  bench: Bench,
  report: Report,
): Promise<void> {
  if (bench.over === 'process' || bench.over === 'run') await replayCases(file, cases, wanted, bench, report);
  else if (wanted(file.name)) report.notReplayed(file.name, 'a mounted sysfs has no /dev');
}

async function replayCases(
  file: RecordingFile,
  all: readonly Case[],
  wanted: (name: string) => boolean,
  bench: Bench,
  report: Report,
): Promise<void> {
  const wholeFile = wanted(file.name);
  const cases = all.filter(({ id }) => wholeFile || wanted(id));
  if (cases.length === 0) return;
  report.begin(file.name);
  for (const recording of cases) report.steps(recording, await bench.replayCase(recording));
  report.end('steps');
}

const isNotReplayed = (results: unknown): results is NotReplayed => !Array.isArray(results);
