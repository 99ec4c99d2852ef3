/**
 * A daemon with a mounted tree for the length of a test. The test process may look at the mount as it likes,
 * synchronously too, since it is not the one that answers.
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { Loop } from '../../src/fuse/device.js';
import { mountAt } from '../../src/host/mountinfo.js';
import { errnoName } from '../../src/lib/errno.js';
import { libc } from '../conformance/libc/libc.js';
import { type Sys, SysError } from '../conformance/sys.js';

const daemonFile = fileURLToPath(new URL('./daemon.js', import.meta.url));

/** Long enough for a busy machine; nothing here measures time. */
const PATIENCE_MS = 20_000;

/** Why nothing can be mounted here; undefined when it can. */
export function noMounts(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  if (!existsSync('/dev/fuse')) return 'no /dev/fuse';
  return undefined;
}

/** Why there can be no mounts, network and processes of one's own here; undefined when there can. */
export function noNamespaces(): string | undefined {
  const mount = ['-m', '-n', '-p', '-f', '--mount-proc', 'mount', '-n', '-t', 'sysfs', 'sysfs', '/sys'];
  const { status, stderr } = spawnSync('unshare', mount, { encoding: 'utf8' });
  return status === 0 ? undefined : `this machine refuses namespaces: ${stderr.trim()}`;
}

/**
 * Why a user without rights cannot have a /sys of their own here; undefined when they can. A container may refuse it, and
 * nothing that could be installed would help.
 */
export function noUserNamespaces(): string | undefined {
  const mount = ['unshare', '-Urmn', 'mount', '-n', '-t', 'sysfs', 'sysfs', '/sys'];
  const user = ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups', ...mount];
  const { status, stderr } = spawnSync('env', user, { encoding: 'utf8' });
  return status === 0 ? undefined : `this machine refuses a sysfs to user namespaces: ${stderr.trim()}`;
}

/** Why fuse-native cannot run here; undefined when it can. */
export async function noFuseNative(): Promise<string | undefined> {
  const name: string = 'fuse-native';
  try {
    await import(name);
    return noMounts();
  } catch (error) {
    return `fuse-native: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** Waits until a condition holds. @throws Error when it does not come true in a long time */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(10)) if (holds()) return;
  throw new Error(`waited in vain until ${what}`);
}

/** State letter of a process, `D` for a sleep that no signal ends; undefined when it is gone or only unburied. */
export function processState(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const state = stat.slice(stat.lastIndexOf(')') + 2)[0];
    return state === 'Z' ? undefined : state;
  } catch {
    return undefined;
  }
}

/** The name of the errno a system call fails with, or `ok`. */
export function errnoOf(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    if (error instanceof SysError) return errnoName(error.errno);
    throw error;
  }
}

/** A directory that goes with the test, whatever is mounted there then. */
export function scratchDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => {
    while (mountAt(dir)) if (spawnSync('umount', ['-l', dir]).status !== 0) break;
    rmdirSync(dir);
  });
  return dir;
}

export class MountedSample {
  #output = '';
  readonly ended: Promise<number | null>;
  readonly sys: Sys;

  private constructor(
    readonly dir: string,
    readonly daemon: ChildProcess,
  ) {
    this.sys = libc(dir);
    for (const stream of [daemon.stdout!, daemon.stderr!])
      stream.on('data', (text: Buffer) => {
        this.#output += text.toString();
      });
    this.ended = new Promise((resolve) => {
      daemon.on('close', (code) => resolve(code));
    });
  }

  /** Mounts the sample tree until the test ends. */
  static async start(t: Test, transport = 'fuse', loop?: Loop): Promise<MountedSample> {
    const dir = scratchDir(t);
    const args = [daemonFile, dir, transport, ...(loop ? [loop] : [])];
    const mounted = new MountedSample(
      dir,
      spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...args], { stdio: 'pipe' }),
    );
    // Runs before the directory's own teardown, the last one first.
    t.teardown(() => mounted.stop());
    await until('the daemon is ready', () => {
      if (mounted.daemon.exitCode !== null) throw new Error(`the daemon died: ${mounted.output}`);
      return mounted.output.includes('ready\n');
    });
    return mounted;
  }

  /** What the daemon wrote so far. */
  get output(): string {
    return this.#output;
  }

  async stop(): Promise<void> {
    this.daemon.kill('SIGTERM');
    const timer = setTimeout(() => this.daemon.kill('SIGKILL'), PATIENCE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Runs a script in the tree's directory; `$D` is the directory too. */
  sh(script: string): { status: number | null; stdout: string; stderr: string } {
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], {
      cwd: this.dir,
      env: { ...process.env, D: this.dir, LC_ALL: 'C' },
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }

  /** Writes to a file in one write(2). @returns bytes written, or the name of the errno */
  write(name: string, data: string | Buffer): number | string {
    const fd = this.sys.open(`/sys/${name}`, 1);
    try {
      return this.sys.write(fd, Buffer.from(data)) as number;
    } catch (error) {
      if (error instanceof SysError) return errnoName(error.errno);
      throw error;
    } finally {
      this.sys.close(fd);
    }
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'latin1');
  }
}
