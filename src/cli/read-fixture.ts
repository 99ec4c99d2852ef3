/**
 * Fixtures as the server reads them, and what a command says about one that cannot be used.
 * @module
 */

import { readText } from '../host/safe-file.js';
import { type Fixture, type FixtureError, parseFixture } from '../machine/fixture.js';
import type { FixtureShelf } from '../machine/hotplug.js';
import { moduleNames } from '../machine/modules.js';
import { CommandError, EXIT_USAGE } from './error.js';
import { fixtureFile, fixtureNames } from './fixture.js';
import { unreadable } from './named.js';

/** Bytes that a fixture may have. That of a whole machine has some millions. */
const MOST = 32 * 1024 * 1024;

/** @throws CommandError when the file cannot be read */
export function fixtureText(file: string): string {
  try {
    return readText(file, MOST);
  } catch (error) {
    throw unreadable(`fixture ${file}`, error);
  }
}

/** @throws FixtureError with every fault; CommandError when the file cannot be read */
export function readFixture(file: string): Fixture {
  return parseFixture(fixtureText(file), file, { modules: moduleNames });
}

/** The fixtures of the package, which can be plugged in by name. */
export const packageFixtures: FixtureShelf = {
  /** @throws FixtureError */
  get: (name) => (fixtureNames().includes(name) ? readFixture(fixtureFile(name)) : undefined),
  keys: () => fixtureNames().values(),
};

/** What a command says about a fixture that cannot be used. */
export function commandErrorOf(file: string, error: FixtureError): CommandError {
  // What only shows when the host is built does not know its file.
  const faults = error.faults.map((fault) => (fault.startsWith(file) ? fault : `${file}: ${fault}`));
  return new CommandError(faults, EXIT_USAGE);
}
