/**
 * `mdevfs fixtures`: the machines that come with the program.
 * @module
 */

import colors from 'picocolors';
import { listFixtures } from './fixture.js';

export interface FixturesCommandOptions {
  json?: boolean;
}

/** @returns the exit code */
export function fixtures({ json = false }: FixturesCommandOptions): number {
  const all = listFixtures();
  if (json) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  else {
    const width = Math.max(0, ...all.map(({ name }) => name.length));
    for (const { name, description } of all)
      process.stdout.write(`${colors.bold(name.padEnd(width))}  ${description}\n`);
  }
  return 0;
}
