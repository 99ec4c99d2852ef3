/**
 * A machine as a mounted tree: the daemon that serves it and the worker that touches it, with an end to both
 * whatever happens.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MountTransport } from './host.js';
import { type HostChoice, hostFixture } from './hosts.js';
import { settle } from './run.js';
import { ended, type Work, WorkerProcess } from './worker-process.js';

const cli = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

const START_TIMEOUT = 20_000;
const STOP_TIMEOUT = 5_000;

const mountOptions: Readonly<Record<MountTransport, readonly string[]>> = {
  mount: [],
  direct: ['--no-passthrough'],
  'fuse-native': ['--transport', 'fuse-native'],
};

export class Mounted {
  readonly #scratch: string;
  readonly #dir: string;
  readonly #daemon: ChildProcess;
  readonly #worker: WorkerProcess;
  #output = '';

  private constructor(choice: HostChoice, over: MountTransport) {
    this.#scratch = mkdtempSync(join(tmpdir(), 'conformance-'));
    // Cases look at the tree as other users, who have to get there.
    chmodSync(this.#scratch, 0o755);
    this.#dir = join(this.#scratch, 'sys');
    this.#worker = new WorkerProcess('./mount-worker.js', [this.#dir, over]);
    const fixture = join(this.#scratch, 'host.json');
    writeFileSync(fixture, JSON.stringify(hostFixture(choice)));
    const options = mountOptions[over];
    const command = ['mount', '--foreground', ...options, '--fixture', fixture, this.#dir];
    this.#daemon = spawn(process.execPath, [cli, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#daemon.stdout, this.#daemon.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.#output = (this.#output + text.toString()).slice(-4000);
      });
    }
  }

  /** @throws Error with the daemon's last words when the tree does not appear */
  static async start(choice: HostChoice, over: MountTransport): Promise<Mounted> {
    const mounted = new Mounted(choice, over);
    for (let waited = 0; waited < START_TIMEOUT; waited += 50) {
      if (mounted.#isMounted()) return mounted;
      if (mounted.#daemon.exitCode !== null || mounted.#daemon.signalCode !== null) break;
      await settle(50);
    }
    const words = mounted.#output.trim();
    await mounted.stop();
    throw new Error(`nothing was mounted: ${words || 'the daemon said nothing'}`);
  }

  /** The daemon's recent output. */
  get output(): string {
    return this.#output;
  }

  /** See {@link WorkerProcess.run}. */
  run<T>(work: Work, timeout: number): Promise<T> {
    return this.#worker.run(work, timeout);
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
    this.#daemon.kill('SIGTERM');
    if (!(await ended(this.#daemon, STOP_TIMEOUT))) {
      this.#daemon.kill('SIGKILL');
      await ended(this.#daemon, STOP_TIMEOUT);
    }
    if (this.#isMounted()) await ended(spawn('umount', ['-l', this.#dir], { stdio: 'ignore' }), STOP_TIMEOUT);
    if (!this.#isMounted()) rmSync(this.#scratch, { recursive: true, force: true });
  }

  #isMounted(): boolean {
    return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${this.#dir} `);
  }
}
