/**
 * `mdevfs snapshot`: the tree below /sys, or wherever one is, as a fixture on standard output.
 * @module
 */

import { closeSync, readSync } from 'node:fs';
import { hostname } from 'node:os';
import { closePlace, walk } from '../host/path-walk.js';
import { openToRead, readToEnd } from '../host/safe-file.js';
import { readTree } from '../host/tree-dir.js';
import { readTar } from '../host/tree-tar.js';
import { anonymize } from '../machine/anonymize.js';
import { formatFixture, type Snapshot, snapshot as snapshotOf } from '../machine/snapshot.js';
import { type Tree, TreeTooLargeError } from '../machine/tree.js';
import { isUmockdev, UmockdevError, umockdevTree } from '../machine/umockdev.js';
import { EXIT_USAGE, failure } from './error.js';
import { unreadable } from './named.js';
import { withProgress, withSteps } from './progress.js';

export interface SnapshotCommandOptions {
  sysfs: string;
  anonymize?: boolean;
}

/** Bytes that a recording may have; that of a whole machine has some millions. */
const MOST = 16 * 1024 * 1024;
/** Of these, what tells a recording from an archive. */
const HEAD = 64 * 1024;
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
  let nodes = 0;
  const count = (read: number) => {
    nodes = read;
  };
  const reading = (work: Promise<Tree>) => withProgress(`reading ${path}`, work, () => `${nodes} nodes`);
  if (isDirectory(path)) {
    const tree = await reading(readTree(path, { progress: count }));
    if (tree.dir('/sys/devices') && tree.dir('/sys/bus')) return tree;
    throw failure(
      `${path}: no sysfs, since it has no directories bus and devices; give what /sys is of the machine`,
      EXIT_USAGE,
    );
  }
  const recording = recordingIn(path);
  if (recording !== undefined) return fromUmockdev(path, recording);
  try {
    return await reading(readTar(path, count));
  } catch (error) {
    if (error instanceof TreeTooLargeError)
      throw failure(`${path}: ${error.message}; extract it, and give the directory`, EXIT_USAGE);
    throw failure(
      `${path}: no sysfs in it (${(error as Error).message}); expected a directory, a tar archive of one, or a .umockdev recording`,
      EXIT_USAGE,
    );
  }
}

/** The text of a recording; undefined for another file. */
function recordingIn(path: string): string | undefined {
  const fd = opened(() => openToRead(path), path);
  const head = Buffer.alloc(HEAD);
  const length = readSync(fd, head, 0, HEAD, 0);
  if (isUmockdev(head.toString('latin1', 0, length)))
    return opened(() => readToEnd(fd, MOST), path).toString('utf8');
  closeSync(fd);
  return undefined;
}

function isDirectory(path: string): boolean {
  const place = opened(() => walk(path), path);
  closePlace(place);
  return place.node?.stat.isDirectory() ?? false;
}

/** @throws CommandError */
function opened<T>(open: () => T, path: string): T {
  try {
    return open();
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
