/**
 * Programs that are typed to.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Test } from 'tap';
import { plain } from './command.js';
import { until } from './mounted.js';

/** Why there are no terminals; undefined when there are. */
export function noTerminal(): string | undefined {
  return existsSync('/usr/bin/script') ? undefined : 'script is not installed';
}

/** A program on a terminal of its own, which script(1) makes. */
export class Terminal {
  #text = '';
  readonly #script: ChildProcess;
  readonly ended: Promise<unknown[]>;

  constructor(t: Test, command: string) {
    // Whatever bash reads at its start may change the prompt.
    const env = { ...process.env, SHELL: '/bin/bash', HOME: '/nonexistent', TERM: 'dumb' };
    this.#script = spawn('env', [...plain, 'script', '-qefc', command, '/dev/null'], { env, stdio: 'pipe' });
    this.#script.stdout!.on('data', (text: Buffer) => {
      this.#text += text.toString();
    });
    this.ended = once(this.#script, 'close');
    t.teardown(async () => {
      this.#script.kill('SIGKILL');
      await this.ended;
    });
  }

  /** Types, and waits for what comes after that. @returns what came */
  async type(keys: string, awaited: string): Promise<string> {
    this.#text = '';
    this.#script.stdin!.write(keys);
    return this.shows(awaited);
  }

  async shows(awaited: string): Promise<string> {
    await until(`the terminal shows ${awaited}`, () => this.#text.includes(awaited)).catch((error: Error) => {
      throw new Error(`${error.message}; it shows ${JSON.stringify(this.#text)}`);
    });
    return this.#text;
  }
}
