/**
 * This project's daemon, started from its command line, in its variants.
 * @module
 */

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Caller } from './caller.js';
import { type Candidate, createFile, type Served, treePaths } from './candidate.js';
import { run, startServer, stopServer } from './child.js';
import { packageRoot, sourceFolder } from './compile.js';
import { asServer } from './cpus.js';
import type { Scope } from './scope.js';
import { mountpoint } from './scratch.js';
import { FIND_FORMAT, parseFind, type Tree, type TreeNode, treeOf } from './tree.js';

const main = join(packageRoot, 'dist/src/cli/main.js');
const fixture = join(sourceFolder, 'bench.json');
const COUNTER = 'kernel/debug/mdevfs/ops';

const LIMIT_MS = 20_000;
/** For planting devices, of which there may be many. */
export const PLANT_LIMIT_MS = 180_000;

async function mountHelp(): Promise<string> {
  return run([process.execPath, main, 'mount', '--help'], LIMIT_MS);
}

/** Looked at by another process, which has an end when the daemon does not answer. */
async function isThere(path: string): Promise<boolean> {
  return (await run(['sh', '-c', 'if [ -e "$1" ]; then echo yes; fi', 'sh', path], LIMIT_MS)) !== '';
}

/**
 * Starts a daemon that ends with the scope.
 * @param options of `mdevfs mount`
 */
export async function startDaemon(
  scope: Scope,
  options: readonly string[],
): Promise<{ dir: string; child: ChildProcess }> {
  const dir = mountpoint(scope);
  const command = ['mount', '--foreground', ...options, dir];
  const child = await startServer(asServer([process.execPath, main, ...command]), LIMIT_MS);
  scope.defer(async () => {
    if (await stopServer(child, LIMIT_MS)) return;
    // A daemon that was killed leaves its record and its mount behind.
    await run([process.execPath, main, 'umount', '--lazy', dir], LIMIT_MS, { cleaning: true });
  });
  return { dir, child };
}

export interface Variant {
  name: string;
  about: string;
  options: string[];
  /** The option of `mdevfs mount` that it needs. */
  needs?: string;
  limit: Candidate['limit'];
}

export class MdevfsCandidate implements Candidate {
  readonly name: string;
  readonly about: string;
  readonly limit: Candidate['limit'];

  constructor(
    readonly variant: Variant,
    readonly caller: Caller,
  ) {
    this.name = variant.name;
    this.about = variant.about;
    this.limit = variant.limit;
  }

  async prepare(): Promise<void> {
    const { needs } = this.variant;
    if (needs && !(await mountHelp()).includes(needs)) throw new Error(`mdevfs mount has no option ${needs}`);
  }

  async start(scope: Scope, devices: number): Promise<Served> {
    const { dir, child } = await startDaemon(scope, [...this.variant.options, '--fixture', fixture]);
    if (devices > 0) await this.caller.call(dir, ['create', createFile, 0, devices], PLANT_LIMIT_MS);
    const served = { root: dir, pid: child.pid!, paths: treePaths, creates: true };
    return (await isThere(join(dir, COUNTER))) ? { ...served, counter: COUNTER } : served;
  }
}

/** Enough of them for a number that appears nowhere else by chance. */
const SPECIMEN = 37;

/** Has a look at the tree as it is served now. */
export async function observeTree(scope: Scope, candidate: MdevfsCandidate): Promise<Tree> {
  const { root } = await candidate.start(scope, SPECIMEN);
  const look = async (): Promise<TreeNode[]> =>
    parseFind(await run(['find', root, '-printf', FIND_FORMAT], LIMIT_MS));
  const before = await look();
  await candidate.caller.call(root, ['create', createFile, SPECIMEN, 1], LIMIT_MS);
  return treeOf(before, await look(), SPECIMEN);
}
