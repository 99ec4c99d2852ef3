/**
 * Temporary folders that other users can reach. Nothing is ever mounted directly in one; what is mounted below is taken
 * away first, and by force when somebody still waits there.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killAll } from '../bench/child.js';
import type { Scope } from '../bench/scope.js';
import { mounts, parseMountinfo } from '../../src/host/mountinfo.js';
import { killClients } from './client.js';

const LIMIT_MS = 10_000;
const folders = new Set<string>();

export function scratchFolder(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'mdevfs-torture-'));
  chmodSync(folder, 0o755);
  folders.add(folder);
  scope.defer(() => empty(folder));
  return folder;
}

function empty(folder: string): void {
  for (const { dir } of mounts()
    .filter(({ dir }) => dir.startsWith(`${folder}/`))
    .reverse())
    detach(dir);
  const left = mounts().filter(({ dir }) => dir.startsWith(`${folder}/`));
  if (left.length > 0) throw new Error(`${left[0]!.dir} cannot be unmounted`);
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** Takes away what is mounted, and ends the waiting of whoever waits there. */
export function detach(dir: string): void {
  spawnSync('umount', ['-f', '-l', dir], { timeout: LIMIT_MS, killSignal: 'SIGKILL' });
}

/**
 * Numbers of the FUSE connections of this program that a process sees below some folders. Others may be in use by
 * somebody else.
 */
export function connectionsOf(pid: number, folders: readonly string[]): string[] {
  const text = readFileSync(`/proc/${pid}/mountinfo`, 'latin1');
  const ours = parseMountinfo(text).map(
    ({ dir, type }) => type === 'fuse.mdevfs' && folders.some((folder) => `${dir}/`.startsWith(`${folder}/`)),
  );
  const numbers = text
    .split('\n')
    .flatMap((line, i) => (ours[i] ? [line.split(' ')[2]!.split(':')[1]!] : []));
  return [...new Set(numbers)];
}

/** Ends connections from outside. For those of a daemon that does not end: numbers are used again. */
export function abortConnections(numbers: readonly string[]): void {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-torture-'));
  spawnSync('mount', ['-t', 'fusectl', 'fusectl', dir]);
  for (const number of numbers) {
    try {
      writeFileSync(join(dir, number, 'abort'), '1');
    } catch {
      // It has ended meanwhile.
    }
  }
  spawnSync('umount', ['-l', dir]);
  rmdirSync(dir);
}

/** A folder in another, made now. */
export function subfolder(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

process.on('exit', () => {
  killClients();
  killAll();
  for (const folder of folders) {
    try {
      empty(folder);
    } catch (error) {
      console.error(`torture: left behind: ${(error as Error).message}`);
    }
  }
});
