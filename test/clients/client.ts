/**
 * Real programs against a mount: the mount, the shells that run them, and why they cannot be run here.
 *
 * A program that takes a path is pointed at the mount. One that has /sys compiled in runs in a mount namespace of its own
 * where the mount is bound over /sys.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { mdevfs, mountpoint, plain } from '../mount/command.js';
import { noMounts, noNamespaces } from '../mount/mounted.js';

export const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
export const UUID2 = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1002';
export const GPU = '0000:c0:03.0';

/** Long enough for a busy machine. */
const PATIENCE_MS = 60_000;

/** Why a test that mounts and runs these programs cannot; false when it can. */
export function lacking(...programs: string[]): string | false {
  const missing = programs.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  return noMounts() ?? noNamespaces() ?? (missing === undefined ? false : `${missing} is not installed`);
}

/** A mount of the host that has a parent of every kind, until the end of the test. */
export function mountClients(t: Test): string {
  const dir = mountpoint(t);
  const { status, stderr } = mdevfs('mount', '-f', 'clients', dir);
  if (status !== 0) throw new Error(stderr);
  return dir;
}

/** A directory for files of the test. */
export function scratch(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-clients-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface Output {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** What is done in the mount namespace of {@link Shell.overSys}. */
const OVER_SYS = 'mount --bind "$D" /sys && exec "$@"';

/** Runs scripts; a command in front of each says where. */
export class Shell {
  /**
   * @param dir what the scripts call `$D`
   * @param prefix command and arguments that run the command that follows them
   */
  constructor(
    readonly dir: string,
    readonly prefix: readonly string[] = [],
  ) {}

  /** Scripts see the mount at /sys. */
  static overSys(dir: string): Shell {
    return new Shell(dir, ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', OVER_SYS, 'sh']);
  }

  run(script: string): Output {
    const words = [...plain, ...this.prefix, 'bash', '--norc', '-c', script];
    const { status, stdout, stderr, error } = spawnSync('env', words, {
      encoding: 'utf8',
      env: { ...process.env, D: this.dir, LC_ALL: 'C', U: UUID, U2: UUID2, P: GPU },
      timeout: PATIENCE_MS,
    });
    if (error) throw error;
    return { status, stdout, stderr };
  }

  /** What a script writes, to either. */
  output(script: string): string {
    return this.run(`exec 2>&1; ${script}`).stdout;
  }
}
