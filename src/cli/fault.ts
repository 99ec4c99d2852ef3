/**
 * `mdevfs fault`: a thin hand on `kernel/debug/mdevfs/fail`, the rules of fault injection.
 * @module
 */

import { type FaultCommand, parseFaultCommand } from '../machine/fault-file.js';
import { meaning, pathInTree, readControl, writeControl } from './control-file.js';
import { EXIT_USAGE, failure } from './error.js';

const FILE = 'fail';

export const faultActions = ['add', 'list', 'clear'] as const;
export type FaultAction = (typeof faultActions)[number];

const actions: Readonly<Record<FaultAction, (dir: string, words: readonly string[]) => void>> = {
  add(dir, words) {
    if (words.length === 0)
      throw usage('add: a rule is missing, such as: op=read path=available_instances errno=EIO');
    write('add', dir, words.map((word) => quoted(dir, word)).join(' '));
    process.stdout.write(`${readControl(dir, FILE).trimEnd().split('\n').at(-1)}\n`);
  },
  list(dir, words) {
    if (words.length > 0) throw usage(`list: takes no words, got "${words[0]}"`);
    process.stdout.write(readControl(dir, FILE));
  },
  clear(dir, words) {
    write('clear', dir, ['clear', ...words.map((word) => word || '""')].join(' '));
  },
};

const usage = (text: string) => failure(`fault ${text}`, EXIT_USAGE);

/** @throws CommandError for a line that means something else than what was asked for */
function write(verb: FaultCommand['verb'], dir: string, line: string): void {
  if (line.includes('\n')) throw usage(`${verb}: expected one line, got ${JSON.stringify(line)}`);
  const command = meaning(`fault ${verb}`, () => parseFaultCommand(line));
  if (command.verb !== verb) throw usage(`${verb}: expected KEY=VALUE, got "${line}"`);
  writeControl(dir, FILE, line);
}

/** @returns the exit code */
export function fault(dir: string, action: FaultAction, words: readonly string[]): number {
  actions[action](dir, words);
  return 0;
}

/** The shell has taken the quotes of a value with blanks away. */
function quoted(dir: string, word: string): string {
  const [, key, value] = /^([^=]*=)(.*)$/s.exec(word) ?? [];
  if (key === undefined || value === undefined) return word;
  const text = key === 'path=' ? pathInTree(dir, value) : value;
  const isPlain = !/[\s"]/.test(text) || text.startsWith('"');
  return isPlain ? `${key}${text}` : `${key}"${text.replace(/["\\]/g, '\\$&')}"`;
}
