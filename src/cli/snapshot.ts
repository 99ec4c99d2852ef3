/**
 * `mdevfs snapshot`: the tree below /sys, or wherever one is, as a fixture on standard output.
 * @module
 */

import { readFileSync, type Stats, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { readTree } from '../host/tree-dir.js';
import { readTar } from '../host/tree-tar.js';
import { anonymize } from '../machine/anonymize.js';
import { formatFixture, type Snapshot, snapshot as snapshotOf } from '../machine/snapshot.js';
import type { Tree } from '../machine/tree.js';
import { isUmockdev, UmockdevError, umockdevTree } from '../machine/umockdev.js';
import { EXIT_USAGE, failure } from './error.js';
import { unreadable } from './named.js';
import { withProgress, withSteps } from './progress.js';

export interface SnapshotCommandOptions {
  sysfs: string;
  anonymize?: boolean;
}

/** Larger files are no recordings. */
const MOST = 64 * 1024 * 1024;
/** Differences that are told one by one. */
const TOLD = 5;

/** @returns the exit code */
export async function snapshot({ sysfs, anonymize: hide }: SnapshotCommandOptions): Promise<number> {
  const tree = await read(sysfs);
  const names = [hostname(), hostname().split('.')[0]!];
  const result = withSteps((step) => snapshotOf(hide ? anonymize(tree, names) : tree, step));
  process.stdout.write(formatFixture(result.fixture));
  tell(result);
  return 0;
}

/** What a directory or a file holds. @throws CommandError for neither a sysfs, an archive nor a recording */
async function read(path: string): Promise<Tree> {
  const stat = statOf(path);
  let nodes = 0;
  const count = (read: number) => {
    nodes = read;
  };
  const reading = (work: Promise<Tree>) => withProgress(`reading ${path}`, work, () => `${nodes} nodes`);
  if (stat.isDirectory()) {
    const tree = await reading(readTree(path, { progress: count }));
    if (tree.dir('/sys/devices') && tree.dir('/sys/bus')) return tree;
    throw failure(
      `${path}: no sysfs, since it has no directories bus and devices; give what /sys is of the machine`,
      EXIT_USAGE,
    );
  }
  if (stat.size <= MOST && isUmockdev(readFileSync(path, 'latin1'))) {
    return fromUmockdev(path, readFileSync(path, 'utf8'));
  }
  try {
    return await reading(readTar(path, count));
  } catch (error) {
    throw failure(
      `${path}: no sysfs in it (${(error as Error).message}); expected a directory, a tar archive of one, or a .umockdev recording`,
      EXIT_USAGE,
    );
  }
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function fromUmockdev(path: string, text: string): Tree {
  try {
    return umockdevTree(text);
  } catch (error) {
    if (error instanceof UmockdevError) throw failure(`${path}:${error.line}: ${error.reason}`, EXIT_USAGE);
    throw error;
  }
}

/** Says what the fixture does not show as the tree did. */
function tell({ differences }: Snapshot): void {
  for (const { path, wanted } of differences.slice(0, TOLD)) {
    const how = wanted?.kind === 'link' ? 'leads out of the tree' : 'will be otherwise';
    process.stderr.write(`mdevfs: ${path}: ${how}\n`);
  }
  const more = differences.length - TOLD;
  if (more > 0) process.stderr.write(`mdevfs: and ${more} more\n`);
}
