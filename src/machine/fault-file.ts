/**
 * `kernel/debug/mdevfs/fail`: the rules of fault injection. Reading lists them, one a line, with their numbers and how
 * often they struck. Writing takes commands, one a line:
 *
 *     op=OPERATION KEY=VALUE...   adds a rule
 *     clear                       takes all away
 *     clear ID                    takes one away
 *
 * A line that makes no sense is EINVAL, a number that no rule has ENOENT; the kernel log says what is wrong. Nothing is
 * done then.
 * @module
 */

import type { KernelLog } from '../base/printk.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { Errno, KernelError } from '../lib/errno.js';
import { listFile } from './control-file.js';
import { checkFaultRule, type FaultRules } from './fault.js';
import { FixtureError } from './fixture.js';

const NAME = 'fail';
const numbers = ['delay', 'short', 'times', 'interval', 'probability', 'seed'];

export function addFaultFile(dir: KernfsDir, rules: FaultRules, log: KernelLog): void {
  listFile(dir, NAME, {
    lines: () => [...rules.rules].map(String),
    store(text) {
      const lines = text.split('\n').map((line) => line.trim());
      const commands = lines.filter((line) => line !== '').map((line) => command(line, rules, log));
      for (const run of commands) run();
    },
  });
}

/**
 * Reads a line.
 * @throws EINVAL, ENOENT; the log says why
 */
function command(line: string, rules: FaultRules, log: KernelLog): () => void {
  const fail = (errno: number, why: string): never => {
    log.print(`mdevfs: ${NAME}: ${why}`);
    throw new KernelError(errno);
  };
  const clear = /^clear(?:\s+(\S+))?$/.exec(line);
  if (clear) {
    const [, id] = clear;
    if (id === undefined) return () => rules.clearAll();
    if (![...rules.rules].some((rule) => String(rule.id) === id))
      fail(Errno.ENOENT, `there is no rule ${id}`);
    return () => rules.clear(Number(id));
  }
  const rule: Record<string, unknown> = {};
  for (const word of wordsOf(line) ?? fail(Errno.EINVAL, 'expected a closing quotation mark')) {
    const equals = word.indexOf('=');
    if (equals < 1) fail(Errno.EINVAL, `expected KEY=VALUE, "clear" or "clear ID", got "${word}"`);
    const [key, value] = [word.slice(0, equals), word.slice(equals + 1)];
    rule[key] = numbers.includes(key) && /^[\d.]+$/.test(value) ? Number(value) : value;
  }
  try {
    const checked = checkFaultRule(rule);
    return () => void rules.add(checked);
  } catch (error) {
    if (!(error instanceof FixtureError)) throw error;
    return fail(Errno.EINVAL, error.faults[0]!);
  }
}

const WORD = /\s*((?:[^\s"]|"(?:[^"\\]|\\.)*")+)/y;
const QUOTED = /"(?:[^"\\]|\\.)*"/g;

/** Words with blanks between them; a value in double quotes may have blanks. Undefined when a quote stays open. */
function wordsOf(line: string): string[] | undefined {
  const words: string[] = [];
  for (let at = 0; at < line.length; at = WORD.lastIndex) {
    WORD.lastIndex = at;
    const word = WORD.exec(line)?.[1];
    if (word === undefined) return undefined;
    words.push(word.replace(QUOTED, (text) => text.slice(1, -1).replace(/\\(.)/g, '$1')));
  }
  return words;
}
