/**
 * What a value of each kind could be: names that the program knows, files, and what the tree that the command line names
 * has at this moment.
 * @module
 */

import { readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { canonical } from '../host/mountpoint.js';
import { runs } from '../host/namespace-find.js';
import { directories, files, namesIn, programs } from './complete-file.js';
import { readControl } from './control-file.js';
import { fixtureNames, listFixtures } from './fixture.js';
import { servedTrees } from './trees.js';
import type { Value, ValueKind } from './value.js';

export interface Candidate {
  readonly text: string;
  readonly about?: string | undefined;
}

/** What stands before the word that is completed. */
export interface Before {
  /** Arguments of the subcommand. */
  readonly args: readonly string[];
  /** Values of its options, by their long names. */
  readonly options: ReadonlyMap<string, string>;
}

const plain = (texts: Iterable<string>): Candidate[] => [...texts].map((text) => ({ text }));
const isFixture = (name: string) => name.endsWith('.json');

/** @param current what there is of the value */
export async function candidatesFor(
  value: Value | undefined,
  current: string,
  before: Before,
): Promise<Candidate[]> {
  if (value === undefined) return [];
  return typeof value === 'string' ? byKind[value](current, before) : plain(value);
}

type Candidates = Candidate[] | Promise<Candidate[]>;

const byKind: Readonly<Record<ValueKind, (current: string, before: Before) => Candidates>> = {
  dir: (current) => plain(directories(current)),
  tree: (current) => plain([...servedTrees(), ...directories(current)]),
  sysfs: (current) => plain(files(current)),
  file: (current) => plain(files(current)),
  fixture: (current) => [...fixtures(), ...plain(files(current, isFixture))],
  pluggable: (current, { args }) => [
    ...hotplugNames(args[0], (state) => state === 'unplugged'),
    ...fixtures(),
    ...plain(files(current, isFixture)),
  ],
  parent: (_, { args }) => hotplugNames(args[0], (state) => state === 'plugged'),
  uuid: (_, { options }) => {
    const at = options.get('--at');
    return (at === undefined ? servedTrees() : served(at)).flatMap(mdevs);
  },
  pid: () => runs().map(({ pid, fixture }) => ({ text: String(pid), about: basename(fixture, '.json') })),
  vm: () => [],
  size: () => plain(['64M', '128M', '256M', '512M', '1G']),
  rule: async (current, { args: [dir = '', action, ...words] }) => {
    const [tree] = served(dir);
    if (action === 'add') {
      // What knows of rules takes as long to load as everything else.
      const { ruleWords } = await import('./complete-rule.js');
      return ruleWords(tree, words, current);
    }
    if (action !== 'clear' || words.length > 0 || tree === undefined) return [];
    return linesOf(tree, 'fail').map((line) => {
      const [id = '', rule = ''] = line.split(/: (.*)/s);
      return { text: id, about: rule };
    });
  },
  command: (current, { args }) => {
    const isFirst = args.every((word) => /^\d+$/.test(word));
    return plain(isFirst && !current.includes('/') ? programs() : files(current));
  },
};

function fixtures(): Candidate[] {
  try {
    return listFixtures().map(({ name, description }) => ({ text: name, about: description }));
  } catch {
    return plain(fixtureNames());
  }
}

/** A directory, if a tree is served there. No other is touched: what no longer answers would hold up the shell. */
function served(dir: string): string[] {
  return servedTrees().includes(canonical(dir)) ? [dir] : [];
}

function linesOf(dir: string, file: string): string[] {
  return readControl(dir, file).split('\n').slice(0, -1);
}

function hotplugNames(dir: string | undefined, isWanted: (state: string) => boolean): Candidate[] {
  return served(dir ?? '').flatMap((tree) =>
    linesOf(tree, 'hotplug')
      .map((line) => line.split(' '))
      .flatMap(([text = '', state = '']) => (isWanted(state) ? [{ text, about: state }] : [])),
  );
}

/** Mediated devices of a tree, with their types. */
function mdevs(dir: string): Candidate[] {
  const devices = join(dir, 'bus/mdev/devices');
  return namesIn(devices).map((text) => {
    try {
      return { text, about: basename(readlinkSync(join(devices, text, 'mdev_type'))) };
    } catch {
      return { text };
    }
  });
}
