/**
 * The C programs of the scenarios, compiled where other users can start them: a checkout may be out of their reach.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { run } from '../bench/child.js';
import { packageRoot } from '../bench/compile.js';

const sources = join(packageRoot, 'test/torture/programs');
const LIMIT_MS = 60_000;

/** Why nothing can be compiled or mounted here; undefined when it can. */
export function lackingTools(): string | undefined {
  const missing = ['gcc', 'setpriv', 'unshare'].find((name) => spawnSync(name, ['--version']).status !== 0);
  return missing && `${missing} is not installed`;
}

export class Programs {
  readonly #compiled = new Map<string, Promise<string>>();

  /** @param folder takes the programs */
  constructor(readonly folder: string) {}

  /** @returns path of a program, compiled the first time that it is asked for */
  path(name: string): Promise<string> {
    let compiled = this.#compiled.get(name);
    if (!compiled) {
      compiled = this.#compile(name);
      this.#compiled.set(name, compiled);
    }
    return compiled;
  }

  async #compile(name: string): Promise<string> {
    const program = join(this.folder, name);
    const flags = ['-O1', '-Wall', '-pthread', '-o', program];
    await run(['gcc', ...flags, join(sources, `${name}.c`)], LIMIT_MS);
    return program;
  }
}
