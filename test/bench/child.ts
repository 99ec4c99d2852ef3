/**
 * Programs that the benchmark starts. None outlives its time limit, an interruption, or the benchmark; each is the
 * head of a process group, so that what it starts itself goes with it, and a Ctrl-C at the terminal reaches only the
 * benchmark, which then ends them in order.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program did not end in time, and was killed. */
export class TimeLimitError extends Error {}

/** The user wants no more. */
export class Interrupted extends Error {}

const running = new Set<ChildProcess>();
const interruption = new AbortController();

/** From now on nothing new is started; what runs is killed. */
export function interrupt(): void {
  interruption.abort();
}

export function isInterrupted(): boolean {
  return interruption.signal.aborted;
}

/** @throws Interrupted */
export async function pause(ms: number): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: interruption.signal });
  } catch {
    throw new Interrupted('interrupted');
  }
}

export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    // Not when it is buried: the number may be another's by now.
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, signal);
  } catch {
    // Gone in between.
  }
}

/** For the end of the process itself, when nothing can be waited for any more. */
export function killAll(): void {
  for (const child of running) killGroup(child, 'SIGKILL');
}

export function start(argv: readonly string[]): ChildProcess {
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/**
 * Runs a program to its end.
 * @param options `cleaning` for what is done after an interruption too
 * @returns what it wrote to standard output
 * @throws TimeLimitError, Interrupted, or Error with what it wrote to standard error
 */
export function run(
  argv: readonly string[],
  limitMs: number,
  { cleaning = false }: { cleaning?: boolean } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    if (isInterrupted() && !cleaning) throw new Interrupted('interrupted');
    const child = start(argv);
    const output: Buffer[] = [];
    let complaint = '';
    let late = false;
    const kill = (): void => killGroup(child, 'SIGKILL');
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, limitMs);
    if (!cleaning) interruption.signal.addEventListener('abort', kill);
    const settle = (settled: () => void): void => {
      clearTimeout(timer);
      interruption.signal.removeEventListener('abort', kill);
      settled();
    };
    child.stdout!.on('data', (data: Buffer) => output.push(data));
    child.stderr!.on('data', (data: Buffer) => {
      complaint += data.toString();
    });
    child.once('error', (error) => settle(() => reject(error)));
    child.once('close', (code, signal) =>
      settle(() => {
        if (code === 0) resolve(Buffer.concat(output).toString());
        else if (isInterrupted() && !cleaning) reject(new Interrupted('interrupted'));
        else if (late) reject(new TimeLimitError(`over ${limitMs / 1000} s`));
        else reject(new Error(complaint.trim().split('\n')[0] || `${argv[0]} ended with ${signal ?? code}`));
      }),
    );
  });
}

/**
 * Starts a server, which says that it is ready by writing a line.
 * @throws as {@link run} does, and when it ends
 */
export function startServer(argv: readonly string[], limitMs: number): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    if (isInterrupted()) throw new Interrupted('interrupted');
    const child = start(argv);
    let complaint = '';
    const giveUp = (error: Error): void => {
      killGroup(child, 'SIGKILL');
      settle(() => reject(error));
    };
    const onAbort = (): void => giveUp(new Interrupted('interrupted'));
    const timer = setTimeout(() => giveUp(new TimeLimitError(`not up after ${limitMs / 1000} s`)), limitMs);
    const settle = (settled: () => void): void => {
      clearTimeout(timer);
      interruption.signal.removeEventListener('abort', onAbort);
      settled();
    };
    interruption.signal.addEventListener('abort', onAbort);
    child.stderr!.on('data', (data: Buffer) => {
      complaint += data.toString();
    });
    child.stdout!.on('data', () => settle(() => resolve(child)));
    child.once('error', giveUp);
    child.once('close', () => giveUp(new Error(complaint.trim().split('\n')[0] || 'ended at once')));
  });
}

/** Ends a server politely, or else by force. @returns whether it went by itself */
export async function stopServer(child: ChildProcess, limitMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return true;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  let polite = true;
  const timer = setTimeout(() => {
    polite = false;
    killGroup(child, 'SIGKILL');
  }, limitMs);
  killGroup(child, 'SIGTERM');
  await gone;
  clearTimeout(timer);
  return polite;
}
