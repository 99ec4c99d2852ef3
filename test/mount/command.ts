/**
 * The command line as a user runs it, with an end to every daemon that a test leaves behind.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { processState, scratchDir, until } from './mounted.js';

export const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
export const mountSh = fileURLToPath(new URL('../../../mount.sh', import.meta.url));
export const samples = fileURLToPath(new URL('../../../fixtures/samples.json', import.meta.url));

/** Longer than any command takes on a busy machine. */
const PATIENCE_MS = 300_000;

export interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Arguments of env(1) that take away what the test runner puts into every Node process, which makes it five times slower to start. */
export const plain = ['-u', 'NODE_OPTIONS'] as const;

export function run(command: string, args: string[], options: object = {}): Result {
  const words = [...plain, command, ...args];
  const { status, stdout, stderr, error } = spawnSync('env', words, {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    ...options,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

export const mdevfs = (...args: string[]): Result => run(process.execPath, [main, ...args]);

export interface Status {
  dir: string;
  state: string;
  pid: number;
  fixture: string;
  transport: string;
  since: string;
  log: string;
}

export function statusOf(dir: string): Status | undefined {
  return (JSON.parse(mdevfs('status', '--json', dir).stdout) as Status[])[0];
}

/** A directory to mount at; whatever is there at the end of the test goes with its daemon. */
export function mountpoint(t: Test): string {
  const dir = scratchDir(t);
  t.teardown(async () => {
    const left = statusOf(dir);
    if (!left) return;
    mdevfs('umount', '--lazy', dir);
    if (left.state === 'served') await until('the daemon is gone', () => !processState(left.pid));
  });
  return dir;
}

/** Kills the daemon of a mount as the kernel's memory killer would. */
export async function killDaemon(dir: string): Promise<void> {
  const { pid } = statusOf(dir)!;
  process.kill(pid, 'SIGKILL');
  await until('the daemon is gone', () => !processState(pid));
}
