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
import { didYouMean } from '../lib/nearest.js';
import { listFile } from './control-file.js';
import { LineError, readLine } from './control-line.js';
import { checkFaultRule, type FaultRules } from './fault.js';
import type { FaultRuleData } from './fault-schema.js';
import { FixtureError } from './fixture.js';

const NAME = 'fail';
const numbers = ['delay', 'short', 'times', 'interval', 'probability', 'seed'];

export function addFaultFile(dir: KernfsDir, rules: FaultRules, log: KernelLog): void {
  const has = (id: number) => [...rules.rules].some((rule) => rule.id === id);
  listFile(dir, NAME, {
    lines: () => [...rules.rules].map(String),
    store(text) {
      const lines = text.split('\n').map((line) => line.trim());
      const commands = lines
        .filter((line) => line !== '')
        .map((line) => readLine(log, NAME, () => parseFaultCommand(line)));
      for (const command of commands) {
        if (command.verb === 'add' || command.id === undefined || has(command.id)) continue;
        log.print(`mdevfs: ${NAME}: there is no rule ${command.id}`);
        throw new KernelError(Errno.ENOENT);
      }
      for (const command of commands) {
        if (command.verb === 'add') rules.add(command.rule);
        else if (command.id === undefined) rules.clearAll();
        else rules.clear(command.id);
      }
    },
  });
}

/** What a line asks for: a rule more, one less by its number, or none at all. */
export type FaultCommand =
  | { readonly verb: 'add'; readonly rule: FaultRuleData }
  | { readonly verb: 'clear'; readonly id?: number };

/**
 * Reads a line.
 * @throws LineError for one that makes no sense
 */
export function parseFaultCommand(line: string): FaultCommand {
  const words = wordsOf(line);
  if (!words) throw new LineError('expected a closing quotation mark');
  const [first, id, ...more] = words;
  if (first !== 'clear') return { verb: 'add', rule: ruleOf(words) };
  if (id === undefined) return { verb: 'clear' };
  if (!/^\d{1,15}$/.test(id) || more.length > 0)
    throw new LineError(`expected the number of one rule, got "${[id, ...more].join(' ')}"`);
  return { verb: 'clear', id: Number(id) };
}

function ruleOf(words: readonly string[]): FaultRuleData {
  const rule = new Map<string, unknown>();
  for (const word of words) {
    const equals = word.indexOf('=');
    if (equals < 1)
      throw new LineError(
        `expected KEY=VALUE, "clear" or "clear ID", got "${word}"${didYouMean(word, ['clear'])}`,
      );
    const [key, value] = [word.slice(0, equals), word.slice(equals + 1)];
    if (rule.has(key)) throw new LineError(`${key}: expected once, got "${value}" too`);
    rule.set(key, numbers.includes(key) && /^[\d.]+$/.test(value) ? Number(value) : value);
  }
  try {
    return checkFaultRule(Object.fromEntries(rule));
  } catch (error) {
    throw error instanceof FixtureError ? new LineError(error.faults[0]!) : error;
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
