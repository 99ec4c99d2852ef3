/**
 * Runs the client: a process of its own for each measurement, pinned, with a time limit.
 * @module
 */

import { fileURLToPath } from 'node:url';
import { run } from './child.js';
import { compileClient } from './compile.js';
import { asClient } from './cpus.js';

export interface Timing {
  /** How often it was measured. */
  count: number;
  /** How often it was done, the first time included. */
  done: number;
  /** Nanoseconds. */
  mean: number;
  p50: number;
}

export class Caller {
  private constructor(
    readonly program: readonly string[],
    /** What it is written in. */
    readonly language: 'C' | 'Node',
  ) {}

  static async find(): Promise<Caller> {
    const compiled = await compileClient();
    if (compiled) return new Caller([compiled], 'C');
    return new Caller([process.execPath, fileURLToPath(new URL('./client.js', import.meta.url))], 'Node');
  }

  argv(root: string, words: readonly (string | number)[]): string[] {
    return asClient([...this.program, root, ...words.map(String)]);
  }

  /**
   * @param words as client.c has them, after ROOT
   */
  async call(root: string, words: readonly (string | number)[], limitMs: number): Promise<Timing> {
    return JSON.parse(await run(this.argv(root, words), limitMs)) as Timing;
  }
}
