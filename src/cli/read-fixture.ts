/**
 * Fixtures as the server reads them, and what a command says about one that cannot be used.
 * @module
 */

import { readFileSync } from 'node:fs';
import { type Fixture, FixtureError, parseFixture } from '../machine/fixture.js';
import { moduleNames } from '../machine/modules.js';
import { CommandError, EXIT_USAGE, failure } from './error.js';
import { fixtureFile, fixtureNames } from './fixture.js';

/** @throws FixtureError with every fault; Error when the file cannot be read */
export function readFixture(file: string): Fixture {
  return parseFixture(readFileSync(file, 'utf8'), file, { modules: moduleNames });
}

/** The fixture of the package that has a name; undefined when none has. @throws FixtureError */
export function packageFixture(name: string): Fixture | undefined {
  return fixtureNames().includes(name) ? readFixture(fixtureFile(name)) : undefined;
}

/** What a command says about a fixture that cannot be used. */
export function commandErrorOf(file: string, error: unknown): CommandError {
  if (!(error instanceof FixtureError)) return failure(`fixture ${file}: ${(error as Error).message}`);
  // What only shows when the host is built does not know its file.
  const faults = error.faults.map((fault) => (fault.startsWith(file) ? fault : `${file}: ${fault}`));
  return new CommandError(faults, EXIT_USAGE);
}
