/**
 * Which fixture a name on the command line means.
 * @module
 */

import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT_USAGE, failure } from './error.js';

/** From dist/src/cli to where package.json lies. */
const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));
const fixtureDir = join(packageRoot, 'fixtures');

export const DEFAULT_FIXTURE = 'default';

/**
 * The file of a fixture: a path as it stands, or a bare name from the fixtures of the package.
 * @throws CommandError when there is no such file
 */
export function fixtureFile(nameOrPath: string): string {
  const isName = !nameOrPath.includes('/') && !nameOrPath.endsWith('.json');
  const file = isName ? join(fixtureDir, `${nameOrPath}.json`) : resolve(nameOrPath);
  if (existsSync(file)) return file;
  const names = existsSync(fixtureDir)
    ? readdirSync(fixtureDir)
        .filter((entry) => entry.endsWith('.json'))
        .map((entry) => entry.slice(0, -'.json'.length))
    : [];
  throw failure(
    isName
      ? `fixture ${nameOrPath}: there is none of that name; there are ${names.join(', ') || 'none'}, or give a file`
      : `fixture ${nameOrPath}: no such file`,
    EXIT_USAGE,
  );
}
