/**
 * A mount for everybody, made as a user makes it.
 * @module
 */

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../bench/child.js';
import { packageRoot } from '../bench/compile.js';
import { startTime } from '../../src/host/record.js';
import { Client } from './client.js';
import { asUser, type Place, type Start } from './place.js';
import type { Context } from './scenario.js';
import { abortConnections, connectionsOf, detach, scratchFolder, subfolder } from './scratch.js';

export const mdevfs = [process.execPath, join(packageRoot, 'dist/bin/mdevfs/main.js')];
const LIMIT_MS = 60_000;

export interface MountOptions {
  fixture?: string;
  /** Whether the device files are shown, too. */
  dev?: boolean;
  /** File that keeps the machine's state. */
  state?: string;
}

let started = 0;

/** Starts a program whose output goes to a file. */
export async function startProgram(
  folder: string,
  argv: readonly string[],
  options: Start = {},
): Promise<Client> {
  const words = asUser(argv, options);
  const file = join(folder, `output-${started++}`);
  const output = openSync(file, 'w');
  const child = spawn(words[0]!, words.slice(1), {
    cwd: '/',
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, LC_ALL: 'C', NODE_OPTIONS: '' },
  });
  closeSync(output);
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  return new Client(options.as ?? argv[0]!.split('/').at(-1)!, child.pid!, file);
}

export class MountPlace implements Place {
  private constructor(
    readonly folder: string,
    readonly sys: string,
    readonly dev: string,
    readonly daemon: number,
    readonly logFile: string,
  ) {}

  /** Mounts for the length of the scenario, or until {@link end}. */
  static async make({ scope }: Context, options: MountOptions = {}): Promise<MountPlace> {
    const folder = scratchFolder(scope);
    const [sys, dev] = [subfolder(folder, 'sys'), subfolder(folder, 'dev')];
    return MountPlace.at(scope, folder, sys, dev, options);
  }

  static async at(
    scope: Context['scope'],
    folder: string,
    sys: string,
    dev: string,
    { fixture = 'default', dev: hasDev, state }: MountOptions,
  ): Promise<MountPlace> {
    const words = ['mount', '-f', fixture];
    if (hasDev) words.push('--dev', dev);
    if (state) words.push('--state', state);
    const said = await run([...mdevfs, ...words, sys], LIMIT_MS);
    const [, pid, log] = /daemon (\d+), log (.*)\)/.exec(said) ?? [];
    if (!pid) throw new Error(`mdevfs mount said ${said}`);
    const place = new MountPlace(folder, sys, dev, Number(pid), log!);
    scope.defer(() => place.end());
    return place;
  }

  get tree(): string {
    return this.sys;
  }

  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  start(argv: readonly string[], options: Start = {}): Promise<Client> {
    return startProgram(this.folder, argv, options);
  }

  /** Takes the mount away, by force if it must be. */
  async end(): Promise<void> {
    const born = startTime(this.daemon);
    const isGone = (): boolean => born === undefined || startTime(this.daemon) !== born;
    const connections = connectionsOf(process.pid, [this.folder]);
    const end = [...mdevfs, 'umount', '--lazy', this.sys];
    await run(end, 10_000, { cleaning: true }).catch(() => {});
    if (!isGone()) process.kill(this.daemon, 'SIGKILL');
    for (const dir of [this.sys, this.dev]) detach(dir);
    for (let tries = 0; !isGone() && tries < 100; tries++) await new Promise((done) => setTimeout(done, 20));
    if (!isGone()) abortConnections(connections);
  }
}
