/**
 * Fixtures: hosts as data. A fixture file is JSON; reading one checks its shape, then what its parts say about each
 * other, and reports every fault it finds at once.
 * @module
 */

import { crossCheck } from './fixture-check.js';
import { describeIssues } from './fixture-fault.js';
import { jsonFault } from './fixture-json.js';
import { expandFixture } from './fixture-repeat.js';
import { type Fixture, type FixtureInput, fixtureSchema } from './fixture-schema.js';

export { type Fixture, type FixtureInput, fixtureSchema } from './fixture-schema.js';

/** A fixture that cannot be used. */
export class FixtureError extends Error {
  override readonly name = 'FixtureError';

  /** @param faults one line each: file, place, what was expected there */
  constructor(readonly faults: readonly string[]) {
    super(faults.join('\n'));
  }
}

export interface FixtureOptions {
  /** Names of modules that a machine can load without the fixture; given, others are faults. */
  modules?: Iterable<string>;
}

/**
 * Reads a fixture.
 * @param text the file's content
 * @param file its name, for messages
 * @throws FixtureError with every fault
 */
export function parseFixture(text: string, file: string, options: FixtureOptions = {}): Fixture {
  const malformed = jsonFault(text);
  if (malformed) {
    const { line, column, expected } = malformed;
    throw new FixtureError([`${file}:${line}:${column}: expected ${expected}`]);
  }
  return checkFixture(JSON.parse(text), file, options);
}

/**
 * The same for data that is no text, such as a host made by a program.
 * @throws FixtureError with every fault
 */
export function checkFixture(
  value: FixtureInput | unknown,
  file: string,
  options: FixtureOptions = {},
): Fixture {
  const result = fixtureSchema.safeParse(value);
  if (!result.success) fail(file, describeIssues(result.error.issues, fixtureSchema, value));
  const { fixture, origin } = expandFixture(result.data);
  const faults = crossCheck(fixture, options.modules, origin);
  if (faults.length > 0) fail(file, faults);
  return fixture;
}

function fail(file: string, faults: readonly string[]): never {
  throw new FixtureError(faults.map((fault) => `${file}: ${fault}`));
}
