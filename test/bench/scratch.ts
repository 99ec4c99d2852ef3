/**
 * Temporary folders, and what is mounted in them. All of it is gone at the end of the benchmark: by its scopes, or,
 * when the process ends in some other way than planned, by a last resort that does not wait for anything.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountAt } from '../../src/host/mountinfo.js';
import { killAll } from './child.js';
import type { Scope } from './scope.js';

const mountpoints = new Set<string>();
const folders = new Set<string>();

/** A folder for files of the benchmark's own. Never a mountpoint: it is removed with all that is in it. */
export function scratchFolder(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'mdevfs-bench-'));
  folders.add(folder);
  scope.defer(() => {
    rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
  });
  return folder;
}

/** A folder to mount in. */
export function mountpoint(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'mdevfs-bench-'));
  const dir = join(folder, 'sys');
  mkdirSync(dir);
  mountpoints.add(dir);
  scope.defer(() => {
    detach(dir);
    mountpoints.delete(dir);
    rmdirSync(dir);
    rmdirSync(folder);
  });
  return dir;
}

/** Takes away whatever is mounted, in use or not, with a server behind it or not. */
export function detach(dir: string): void {
  // By its entry in mountinfo: a look at the folder itself would ask the server.
  while (mountAt(dir)) {
    const { status } = spawnSync('umount', ['-f', '-l', dir], { timeout: 10_000, killSignal: 'SIGKILL' });
    if (status !== 0) throw new Error(`${dir} cannot be unmounted`);
  }
}

process.on('exit', () => {
  killAll();
  for (const dir of mountpoints) {
    try {
      detach(dir);
      rmdirSync(dir);
      rmdirSync(join(dir, '..'));
    } catch (error) {
      console.error(`bench: left behind: ${(error as Error).message}`);
    }
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
