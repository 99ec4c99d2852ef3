/**
 * Files, directories and programs that a word could become. They are listed here and not by the shells, so that each shell
 * offers the same, and behind `--option=` and `key=` too.
 * @module
 */

import { readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Names in a directory, sorted; none when it cannot be read. */
export function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir).sort();
  } catch {
    return [];
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/**
 * Paths that begin with a text; those of directories end with a slash.
 * @param isWanted whether a file of that name is one
 * @param base where paths begin that are not absolute
 */
export function files(text: string, isWanted: (name: string) => boolean = () => true, base = '.'): string[] {
  const slash = text.lastIndexOf('/') + 1;
  const [head, tail] = [text.slice(0, slash), text.slice(slash)];
  const dir = head.startsWith('~/')
    ? join(homedir(), head.slice(2))
    : head.startsWith('/')
      ? head
      : join(base, head);
  return namesIn(dir)
    .filter((name) => name.startsWith(tail) && (tail !== '' || !name.startsWith('.')))
    .flatMap((name) => {
      if (isDirectory(join(dir, name))) return [`${head}${name}/`];
      return isWanted(name) ? [`${head}${name}`] : [];
    });
}

export function directories(text: string): string[] {
  return files(text, () => false);
}

/** Names of programs in PATH. */
export function programs(): Set<string> {
  return new Set(
    (process.env.PATH ?? '')
      .split(':')
      .filter((dir) => dir !== '')
      .flatMap(namesIn),
  );
}
