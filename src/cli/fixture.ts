/**
 * Which fixture a name on the command line means.
 * @module
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closePlace, walk } from '../host/path-walk.js';
import { notRegular } from '../host/safe-file.js';
import { didYouMean } from '../lib/nearest.js';
import { EXIT_USAGE, failure } from './error.js';
import { unreadable } from './named.js';

/** From dist/src/cli to where package.json lies. */
const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));
const fixtureDir = join(packageRoot, 'fixtures');

export const DEFAULT_FIXTURE = 'default';

/** The description of fixtures, for editors. */
const SCHEMA = 'schema.json';

/**
 * The file of a fixture: a path as it stands, or a bare name from the fixtures of the package.
 * @throws CommandError when there is no such file
 */
export function fixtureFile(nameOrPath: string): string {
  const wrong = (fault: string) => failure(`fixture ${nameOrPath}: ${fault}`, EXIT_USAGE);
  if (!isFileName(nameOrPath)) {
    if (fixtureNames().includes(nameOrPath)) return join(fixtureDir, `${nameOrPath}.json`);
    const near = didYouMean(nameOrPath, fixtureNames());
    throw wrong(`there is none of that name${near}; mdevfs fixtures lists them, or give a file`);
  }
  const file = resolve(nameOrPath);
  let reason: string | undefined = 'no such file';
  let name = file;
  try {
    const place = walk(file);
    closePlace(place);
    if (place.node) reason = notRegular(place.node.stat);
    // What this process has open, such as /dev/stdin, is something else to the daemon.
    if (/^\/(dev|proc)\//.test(file)) name = place.path;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw unreadable(`fixture ${nameOrPath}`, error);
  }
  if (reason !== undefined) throw wrong(reason);
  return name;
}

/** Whether a text is the name of a file, and not that of a fixture or a parent. */
export function isFileName(text: string): boolean {
  return text.includes('/') || text.endsWith('.json');
}

export function fixtureNames(): string[] {
  if (!existsSync(fixtureDir)) return [];
  return readdirSync(fixtureDir)
    .filter((entry) => entry.endsWith('.json') && entry !== SCHEMA)
    .map((entry) => entry.slice(0, -'.json'.length))
    .sort();
}

export interface ListedFixture {
  name: string;
  description: string;
  file: string;
}

/** The fixtures of the package. What they say of themselves is not checked. */
export function listFixtures(): ListedFixture[] {
  return fixtureNames().map((name) => {
    const file = fixtureFile(name);
    const { description = '' } = JSON.parse(readFileSync(file, 'utf8')) as { description?: string };
    return { name, description, file };
  });
}
