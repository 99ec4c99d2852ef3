/**
 * The bench of device files: callers under `mdevfs run`, which have the machine of the recordings at /sys and /dev/vfio
 * and the real machine's KVM. One run for all cases, reset between them.
 * @module
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench, NotReplayed } from './bench.js';
import { makeFifos } from './caller/caller.js';
import { caseModules, hostFixture } from './hosts.js';
import type { Case } from './recording.js';
import type { StepResult } from './steps.js';
import { ended, WorkerProcess } from './worker-process.js';

const cli = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
/** Sources lie two levels above dist/test/. */
const source = fileURLToPath(new URL('../../../test/conformance/caller/caller.c', import.meta.url));

const CASE_TIMEOUT = 60_000;
const STOP_TIMEOUT = 10_000;

/** Under `mdevfs run`, VMs are those of the machine. */
const withoutKvm = 'this machine has no KVM';
const KVM = '/dev/kvm';

const wholeMachine: NotReplayed = { reason: 'the machine under mdevfs run has devices of its own besides' };

/** A machine that is there for one command, which is the first caller. */
class Running {
  readonly #scratch = mkdtempSync(join(tmpdir(), 'conformance-'));
  readonly #run: ChildProcess;
  readonly #worker: WorkerProcess;
  output = '';

  /** @throws Error with what the compiler says */
  constructor() {
    const [fixture, caller] = [join(this.#scratch, 'host.json'), join(this.#scratch, 'caller')];
    const choice = { profile: 'default', topic: 'cases', modules: caseModules } as const;
    writeFileSync(fixture, JSON.stringify(hostFixture(choice)));
    execFileSync('cc', ['-O2', '-Wall', '-o', caller, source, '-ldl'], { stdio: 'pipe' });
    makeFifos(this.#scratch);
    const command = ['run', '--host', fixture, '--', caller, this.#scratch];
    this.#run = spawn(process.execPath, [cli, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#run.stdout, this.#run.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.output = (this.output + text.toString()).slice(-4000);
      });
    }
    this.#worker = new WorkerProcess('./caller-worker.js', [this.#scratch]);
    // It would wait for a caller for ever.
    this.#run.once('exit', () => void this.#worker.stop());
  }

  replayCase(recording: Case): Promise<StepResult[]> {
    return this.#worker.run({ do: 'case', recording, modules: caseModules }, CASE_TIMEOUT);
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
    // The caller ends when nobody asks any more, and the run with it; otherwise everything is ended.
    if (!(await ended(this.#run, STOP_TIMEOUT))) {
      this.#run.kill('SIGKILL');
      await ended(this.#run, STOP_TIMEOUT);
    }
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

export class RunBench implements Bench {
  readonly over = 'run';
  #running: Running | undefined;

  async replayCase(recording: Case): Promise<StepResult[]> {
    if (!existsSync(KVM) && JSON.stringify(recording.steps).includes(KVM))
      return recording.steps.map((_, index) => ({ index, verdict: 'excused', reason: withoutKvm }));
    this.#running ??= new Running();
    const running = this.#running;
    try {
      return await running.replayCase(recording);
    } catch (error) {
      // What the case left behind is unknown: the next one gets a machine of its own.
      this.#running = undefined;
      await running.stop();
      const got = `${error instanceof Error ? error.message : String(error)}\n${running.output}`.trim();
      return recording.steps.map((_, index) => ({ index, verdict: 'mismatch', expected: 'an answer', got }));
    }
  }

  async replayFamily(): Promise<NotReplayed> {
    return wholeMachine;
  }

  async replayUevents(): Promise<NotReplayed> {
    return wholeMachine;
  }

  async close(): Promise<void> {
    await this.#running?.stop();
  }
}
