/**
 * What the daemon is compared with: an ordinary FUSE server in C, files in memory, and the machine's own sysfs.
 * @module
 */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Caller } from './caller.js';
import { type Candidate, createFile, type Paths, type Served, treePaths } from './candidate.js';
import { run, startServer, stopServer } from './child.js';
import { compileServer } from './compile.js';
import { asServer } from './cpus.js';
import { PLANT_LIMIT_MS } from './mdevfs.js';
import type { Scope } from './scope.js';
import { mountpoint, scratchFolder } from './scratch.js';
import { manifest, plant, type Tree } from './tree.js';

const LIMIT_MS = 20_000;
const TIMEOUT_SECONDS = 3600;

/** @param tree is asked for once the candidate can be measured */
export function libfuse3(caller: Caller, tree: () => Promise<Tree>): Candidate {
  let program = '';
  return {
    name: 'c',
    about: 'C over libfuse 3 (low level), direct I/O, names and attributes cached',
    limit: { devices: 10_000, walks: 1000 },
    async prepare() {
      program = await compileServer();
    },
    async start(scope: Scope, devices: number): Promise<Served> {
      const file = join(scratchFolder(scope), 'tree');
      writeFileSync(file, manifest(await tree()));
      const dir = mountpoint(scope);
      const child = await startServer(asServer([program, dir, file, String(TIMEOUT_SECONDS)]), LIMIT_MS);
      scope.defer(async () => {
        await stopServer(child, LIMIT_MS);
      });
      if (devices > 0) await caller.call(dir, ['create', createFile, 0, devices], PLANT_LIMIT_MS);
      return { root: dir, pid: child.pid!, paths: treePaths, creates: true };
    },
  };
}

export function tmpfs(tree: () => Promise<Tree>): Candidate {
  return {
    name: 'tmpfs',
    about: 'a copy of the tree in memory',
    limit: { devices: 10_000, walks: 10_000 },
    async prepare() {},
    async start(scope: Scope, devices: number): Promise<Served> {
      const copied = await tree();
      const dir = mountpoint(scope);
      await run(['mount', '-t', 'tmpfs', '-o', 'nr_inodes=0', 'mdevfs-bench', dir], LIMIT_MS);
      await plant(dir, copied, devices);
      return { root: dir, paths: treePaths, creates: false };
    },
  };
}

/** As deep as {@link treePaths}, as far as this machine has such. */
const SYSFS_CHOICES: { [P in keyof Paths]: string[] } = {
  file: ['devices/virtual/net/lo/queues/rx-0/rps_cpus', 'kernel/uevent_seqnum'],
  changing: ['devices/virtual/net/lo/queues/tx-0/tx_timeout', 'kernel/uevent_seqnum'],
  link: ['class/net/lo', 'class/mem/null'],
  dir: ['devices/virtual/net/lo/queues/rx-0', 'devices/virtual/mem/null', 'kernel'],
};

function sysfsPath(choices: string[]): string {
  const path = choices.find((choice) => existsSync(`/sys/${choice}`));
  if (path === undefined) throw new Error(`no /sys/${choices.at(-1)}`);
  return path;
}

export function sysfs(): Candidate {
  const paths = { ...treePaths };
  return {
    name: 'sysfs',
    about: '/sys of this machine: a file, a link and a directory of the same depth',
    limit: { devices: Number.POSITIVE_INFINITY, walks: 0 },
    async prepare() {
      for (const kind of ['file', 'changing', 'link', 'dir'] as const)
        paths[kind] = sysfsPath(SYSFS_CHOICES[kind]);
    },
    async start(): Promise<Served> {
      return { root: '/sys', paths, creates: false };
    },
  };
}
