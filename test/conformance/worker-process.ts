/**
 * A process that touches what is under test, for this one, which never does: so a call that does not return ends with
 * that process. It is given tasks one after another, by messages.
 * @module
 */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Family } from './family.js';
import type { Case, RecordingFile } from './recording.js';
import { settle } from './run.js';

const STOP_TIMEOUT = 5_000;
/** Threads of the worker: a race has eight writers. */
const THREADS = '12';

export type Task =
  | { id: number; do: 'case'; recording: Case; modules: readonly string[] }
  | { id: number; do: 'family'; family: Omit<Family, 'states'>; states: [number, RecordingFile][] };

export type Answer = { id: number; result: unknown } | { id: number; failed: string };

export type Work = Task extends infer T ? (T extends Task ? Omit<T, 'id'> : never) : never;

export class WorkerProcess {
  readonly #module: string;
  readonly #args: readonly string[];
  #worker: ChildProcess | undefined;
  #tasks = 0;

  /** @param module file beside this one; @param args what it is started with, once there is something to do */
  constructor(module: string, args: readonly string[]) {
    this.#module = fileURLToPath(new URL(module, import.meta.url));
    this.#args = args;
  }

  /**
   * Has the worker do a task; ends the worker when it takes too long.
   * @throws Error when it took too long, or the task failed in itself
   */
  run<T>(work: Work, timeout: number): Promise<T> {
    const worker = this.#start();
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
  }

  #start(): ChildProcess {
    this.#worker ??= fork(this.#module, this.#args, {
      env: { ...process.env, UV_THREADPOOL_SIZE: THREADS },
      serialization: 'advanced',
    });
    return this.#worker;
  }
}

/** Whether a child has ended within the time. */
export async function ended(child: ChildProcess | undefined, timeout: number): Promise<boolean> {
  for (let waited = 0; waited < timeout; waited += 20) {
    if (!child || child.exitCode !== null || child.signalCode !== null) return true;
    await settle(20);
  }
  return false;
}

/** Has a worker answer the tasks of its parent, to whose end it lives. */
export function answerTasks(work: (task: Task) => Promise<unknown>): void {
  process.on('message', (task: Task) => {
    work(task).then(
      (result) => process.send?.({ id: task.id, result } satisfies Answer),
      (error: unknown) =>
        process.send?.({
          id: task.id,
          failed: error instanceof Error ? (error.stack ?? error.message) : String(error),
        } satisfies Answer),
    );
  });
  process.on('disconnect', () => process.exit());
}
