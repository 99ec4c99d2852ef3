/**
 * `mdevfs fault`: a thin hand on `kernel/debug/mdevfs/fail`, the rules of fault injection.
 * @module
 */

import { didYouMean } from '../machine/fixture-fault.js';
import { pathInTree, readControl, writeControl } from './control-file.js';
import { EXIT_USAGE, failure } from './error.js';

const FILE = 'fail';

const actions: Readonly<Record<string, (dir: string, words: readonly string[]) => void>> = {
  add(dir, words) {
    if (words.length === 0)
      throw usage('add: a rule is missing, such as: op=read path=available_instances errno=EIO');
    writeControl(dir, FILE, words.map((word) => quoted(dir, word)).join(' '));
    process.stdout.write(`${readControl(dir, FILE).trimEnd().split('\n').at(-1)}\n`);
  },
  list(dir, words) {
    if (words.length > 0) throw usage(`list: takes no words, got "${words[0]}"`);
    process.stdout.write(readControl(dir, FILE));
  },
  clear(dir, words) {
    if (words.length > 1) throw usage(`clear: takes the number of one rule, got "${words.join(' ')}"`);
    writeControl(dir, FILE, ['clear', ...words].join(' '));
  },
};

const usage = (text: string) => failure(`fault ${text}`, EXIT_USAGE);

/** @returns the exit code */
export function fault(dir: string, action: string, words: readonly string[]): number {
  const act = actions[action];
  if (!act) throw usage(`${action}: expected add, list or clear${didYouMean(action, Object.keys(actions))}`);
  act(dir, words);
  return 0;
}

/** The shell has taken the quotes of a value with blanks away. */
function quoted(dir: string, word: string): string {
  const [, key, value] = /^([^=]*=)(.*)$/s.exec(word) ?? [];
  if (key === undefined || value === undefined) return word;
  const text = key === 'path=' ? pathInTree(dir, value) : value;
  return /\s/.test(text) && !text.startsWith('"') ? `${key}${JSON.stringify(text)}` : `${key}${text}`;
}
