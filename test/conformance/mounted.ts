/**
 * A machine as a mounted tree: the daemon that serves it and the worker that touches it, with an end to both
 * whatever happens.
 * @module
 */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MountTransport } from './host.js';
import { type HostChoice, hostFixture } from './hosts.js';
import type { Answer, Task } from './mount-worker.js';
import { settle } from './run.js';

const cli = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const workerFile = fileURLToPath(new URL('./mount-worker.js', import.meta.url));

const START_TIMEOUT = 20_000;
const STOP_TIMEOUT = 5_000;
/** Threads of the worker: a race has eight writers. */
const THREADS = '12';

type Work = Task extends infer T ? (T extends Task ? Omit<T, 'id'> : never) : never;

const mountOptions: Readonly<Record<MountTransport, readonly string[]>> = {
  mount: [],
  direct: ['--no-passthrough'],
  'fuse-native': ['--transport', 'fuse-native'],
};

export class Mounted {
  readonly #scratch: string;
  readonly #dir: string;
  readonly #daemon: ChildProcess;
  readonly #over: MountTransport;
  #worker: ChildProcess | undefined;
  #output = '';
  #tasks = 0;

  private constructor(choice: HostChoice, over: MountTransport) {
    this.#over = over;
    this.#scratch = mkdtempSync(join(tmpdir(), 'conformance-'));
    // Cases look at the tree as other users, who have to get there.
    chmodSync(this.#scratch, 0o755);
    this.#dir = join(this.#scratch, 'sys');
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

  /**
   * Has the worker do a task; ends the worker when it takes too long.
   * @throws Error when it took too long, or the task failed in itself
   */
  run<T>(work: Work, timeout: number): Promise<T> {
    const worker = this.#startWorker();
    const id = ++this.#tasks;
    return new Promise((resolve, reject) => {
      const finish = (settleResult: () => void): void => {
        clearTimeout(timer);
        worker.off('message', answered);
        worker.off('exit', gone);
        settleResult();
      };
      const answered = (answer: Answer): void => {
        if (answer.id !== id) return;
        finish(() => ('failed' in answer ? reject(new Error(answer.failed)) : resolve(answer.result as T)));
      };
      const gone = (): void => {
        this.#worker = undefined;
        finish(() => reject(new Error('the worker went away')));
      };
      const timer = setTimeout(() => {
        this.#worker = undefined;
        worker.kill('SIGKILL');
        finish(() => reject(new Error(`no answer within ${timeout / 1000} s`)));
      }, timeout);
      worker.on('message', answered);
      worker.on('exit', gone);
      worker.send({ ...work, id });
    });
  }

  async stop(): Promise<void> {
    this.#worker?.kill('SIGKILL');
    await ended(this.#worker, STOP_TIMEOUT);
    this.#daemon.kill('SIGTERM');
    if (!(await ended(this.#daemon, STOP_TIMEOUT))) {
      this.#daemon.kill('SIGKILL');
      await ended(this.#daemon, STOP_TIMEOUT);
    }
    if (this.#isMounted()) await ended(spawn('umount', ['-l', this.#dir], { stdio: 'ignore' }), STOP_TIMEOUT);
    if (!this.#isMounted()) rmSync(this.#scratch, { recursive: true, force: true });
  }

  #startWorker(): ChildProcess {
    this.#worker ??= fork(workerFile, [this.#dir, this.#over], {
      env: { ...process.env, UV_THREADPOOL_SIZE: THREADS },
      serialization: 'advanced',
    });
    return this.#worker;
  }

  #isMounted(): boolean {
    return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${this.#dir} `);
  }
}

/** Whether a child has ended within the time. */
async function ended(child: ChildProcess | undefined, timeout: number): Promise<boolean> {
  for (let waited = 0; waited < timeout; waited += 20) {
    if (!child || child.exitCode !== null || child.signalCode !== null) return true;
    await settle(20);
  }
  return false;
}
