/**
 * A program of a scenario while it runs: by its number, since it need not be a child of this process, and by a file that
 * takes its output. Every wait has a limit.
 * @module
 */

import { readFileSync } from 'node:fs';
import { pause } from '../bench/child.js';
import { startTime } from '../../src/host/record.js';
import type { Figures } from './scenario.js';

/** Long enough for a busy machine. What is waited for longer hangs. */
export const PATIENCE_MS = 20_000;
const STEP_MS = 5;

const running = new Set<Client>();

/** For the end of the process itself. */
export function killClients(): void {
  for (const client of running) client.kill();
}

/** A scenario has taken longer than it may. */
export class TooLong extends Error {}

let deadline = Number.POSITIVE_INFINITY;

/** From now on waits end so many milliseconds later at the latest, with {@link TooLong}. */
export function limitWaits(ms: number): void {
  deadline = performance.now() + ms;
}

/**
 * Waits until a condition holds.
 * @returns milliseconds that it took; undefined when the time is over
 * @throws TooLong, Interrupted
 */
export async function until(holds: () => boolean, limit = PATIENCE_MS): Promise<number | undefined> {
  const start = performance.now();
  for (;;) {
    if (holds()) return performance.now() - start;
    if (performance.now() > deadline) throw new TooLong('it goes on for too long');
    if (performance.now() - start > limit) return undefined;
    await pause(STEP_MS);
  }
}

export class Client {
  readonly #started: number | undefined;

  constructor(
    readonly name: string,
    readonly pid: number,
    readonly outputFile: string,
  ) {
    this.#started = startTime(pid);
    running.add(this);
  }

  /** Whether a thread of it is left. The first one is unburied as long as there are others. */
  get alive(): boolean {
    const alive = this.#started !== undefined && startTime(this.pid) === this.#started;
    if (!alive && !this.#hasThreads) running.delete(this);
    return alive || this.#hasThreads;
  }

  get #hasThreads(): boolean {
    try {
      const status = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
      const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' && Number(fields[19]) === this.#started && Number(fields[17]) > 1;
    } catch {
      return false;
    }
  }

  get output(): string {
    return readFileSync(this.outputFile, 'utf8');
  }

  /** Lines that begin with a word, without it. */
  lines(word: 'figure' | 'wrong' | 'says'): string[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1));
  }

  get said(): string[] {
    return this.lines('says');
  }

  /** Waits until it says something. @throws Error when it does not, or ends */
  async says(words: string, limit = PATIENCE_MS): Promise<void> {
    const said = (): boolean => this.said.some((line) => line.startsWith(words));
    await until(() => said() || !this.alive, limit);
    if (!said()) throw new Error(`${this.name} did not say ${words}: ${this.output.trim() || 'nothing'}`);
  }

  /** Waits for its end. @returns milliseconds; undefined when it did not come */
  ended(limit = PATIENCE_MS): Promise<number | undefined> {
    return until(() => !this.alive, limit);
  }

  /** @param signal reaches what it started, too, if that is in its process group */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (!this.alive) return;
    for (const target of [-this.pid, this.pid])
      try {
        process.kill(target, signal);
      } catch {
        // Gone in between, or no head of a group.
      }
  }

  /**
   * Waits for its end and adds what it counted and found.
   * @returns whether it ended by itself
   */
  async count(figures: Figures, limit = PATIENCE_MS): Promise<boolean> {
    const ended = (await this.ended(limit)) !== undefined;
    if (!ended) {
      figures.hung++;
      figures.wrong.push(`${this.name} does not end`);
      this.kill();
      figures.kills++;
    }
    const numbers = new Map(this.lines('figure').map((line) => line.split(' ') as [string, string]));
    const number = (name: string): number => Number(numbers.get(name) ?? 0);
    for (const name of ['operations', 'kills', 'stale', 'hung', 'leaked'] as const)
      figures[name] += number(name);
    figures.worst = Math.max(figures.worst, number('worst_us') / 1000);
    figures.wrong.push(...this.lines('wrong'));
    // A program that was killed has not said all.
    const strange = this.output.split('\n').filter((line) => line && !/^(figure|wrong|says) /.test(line));
    if (strange.length > 0) figures.wrong.push(`${this.name}: ${strange.slice(0, 3).join('; ')}`);
    return ended;
  }
}
