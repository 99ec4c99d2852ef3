/**
 * The C programs of the benchmark, compiled when the machine has what that needs.
 * @module
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Interrupted, run } from './child.js';

/** From dist/test/bench to where package.json lies. */
export const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));
export const sourceFolder = join(packageRoot, 'test/bench');
const outputFolder = join(packageRoot, 'dist/bench');

const LIMIT_MS = 60_000;

async function output(argv: string[]): Promise<string | undefined> {
  try {
    return (await run(argv, LIMIT_MS)).trim();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return undefined;
  }
}

async function compile(name: string, flags: string[]): Promise<string> {
  mkdirSync(outputFolder, { recursive: true });
  const program = join(outputFolder, name);
  await run(['gcc', '-O2', '-Wall', '-o', program, join(sourceFolder, `${name}.c`), ...flags], LIMIT_MS);
  return program;
}

/** @returns a client program; undefined without a compiler */
export async function compileClient(name: 'client' | 'devices' = 'client'): Promise<string | undefined> {
  return (await output(['gcc', '--version'])) === undefined ? undefined : compile(name, []);
}

/** @throws Error that says what is missing and how to get it */
export async function compileServer(name: 'libfuse3' | 'libfuse3-vfio' = 'libfuse3'): Promise<string> {
  if ((await output(['gcc', '--version'])) === undefined)
    throw new Error('gcc is missing; install it (Debian: apt install gcc)');
  if ((await output(['pkg-config', '--version'])) === undefined)
    throw new Error('pkg-config is missing; install it (Debian: apt install pkg-config)');
  const flags = await output(['pkg-config', '--cflags', '--libs', 'fuse3']);
  if (flags === undefined)
    throw new Error('libfuse 3 for compiling is missing; install it (Debian: apt install libfuse3-dev)');
  return compile(name, flags.split(/\s+/));
}
