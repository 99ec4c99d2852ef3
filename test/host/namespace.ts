/**
 * Scripts in namespaces of their own: network, mounts and processes, with a /run of their own. Whatever a script mounts
 * or starts goes with it, also when the test dies.
 * @module
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { NativeCalls } from '../../src/host/native.js';
import { main, plain } from '../mount/command.js';
import { noMounts, noNamespaces as refusesNamespaces } from '../mount/mounted.js';

const PATIENCE_MS = 60_000;

/** Why there is no udevadm; undefined when there is. */
export function noUdevadm(): string | undefined {
  return spawnSync('udevadm', ['--version']).error ? 'udevadm is not installed (Debian: udev)' : undefined;
}

/** Why nothing can be sent in a namespace of its own; undefined when it can. */
export async function noNamespaces(): Promise<string | undefined> {
  if (noMounts()) return noMounts();
  if (refusesNamespaces()) return refusesNamespaces();
  return NativeCalls.load().then(
    () => undefined,
    (error: Error) => error.message,
  );
}

const unshare = [
  'unshare',
  ...['-n', '-m', '-p', '--fork', '--kill-child', '--mount-proc'],
  // Also when the test itself is killed.
  ...['setpriv', '--pdeathsig', 'KILL', 'bash', '-euc'],
];

/** What every script begins with: `$mdevfs`, and `wait_for COMMAND`. */
const prelude = `
  mount -t tmpfs none /run
  mdevfs="${process.execPath} ${main}"
  wait_for() { for _ in {1..1000}; do if "$@"; then return; fi; sleep 0.02; done; echo "waited in vain: $*" >&2; exit 1; }
`;

/** Runs a script of bash. @returns what it printed */
export async function inNamespace(t: Test, script: string): Promise<string> {
  const child = spawn('env', [...plain, ...unshare, prelude + script], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => void child.kill('SIGKILL'));
  const late = setTimeout(() => void child.kill('SIGKILL'), PATIENCE_MS);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const [status] = await once(child, 'close');
  clearTimeout(late);
  if (status !== 0) throw new Error(`exit ${status}: ${stderr}`);
  return stdout;
}
