/**
 * What the values on a command line are: each argument and option has a kind, by which its value is checked before any
 * subcommand runs, and by which a shell completes it. A value that cannot be of its kind is wrong use.
 * @module
 */

import { Argument, Option } from 'commander';
import { didYouMean } from '../lib/nearest.js';
import { EXIT_USAGE, failure } from './error.js';

/** Kinds with what is expected of them. Of most, any text but none will do; whether it leads anywhere shows later. */
const kinds = {
  dir: 'a directory',
  /** A directory with a tree of ours, or /sys in `mdevfs run`. */
  tree: 'the directory of a mounted tree',
  sysfs: 'a directory like /sys, or a file that holds one',
  file: 'a file',
  fixture: 'the name of a fixture, or a JSON file',
  pluggable: 'the name of a parent or of a fixture, or a JSON file',
  parent: 'the name of a parent, of a PCI function or of a fixture',
  uuid: 'a UUID, such as 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001',
  pid: 'the number of a process',
  vm: 'a name without blanks and "="',
  size: 'a size, such as 64M',
  /** A word of a rule of fault injection, or the number of one. */
  rule: 'KEY=VALUE, or a number',
  /** A program, or a word for it. */
  command: 'a program',
} as const;

export type ValueKind = keyof typeof kinds;

const shapes: Partial<Record<ValueKind, RegExp>> = {
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  pid: /^[1-9]\d{0,9}$/,
  vm: /^[^\s=]+$/,
};

/** What a value may be: of a kind, or one of some names. */
export type Value = ValueKind | readonly string[];

function check(label: string, value: Value, text: string): string {
  const wrong = (expected: string, names: readonly string[] = []) =>
    failure(`${label}: expected ${expected}, got "${text}"${didYouMean(text, names)}`, EXIT_USAGE);
  if (typeof value !== 'string') {
    if (value.includes(text)) return text;
    throw wrong(`${value.slice(0, -1).join(', ')} or ${value.at(-1)}`, value);
  }
  if ((shapes[value] ?? /./s).test(text)) return text;
  throw wrong(kinds[value]);
}

/** An argument of a subcommand, such as `<dir>`, `[dir]` or `[words...]`. */
export class ValueArgument extends Argument {
  constructor(
    name: string,
    readonly value: Value,
    description = '',
  ) {
    super(name, description);
    if (typeof value !== 'string') this.choices(value);
    // What a program is told is between it and the user.
    if (value !== 'command' && value !== 'rule') this.argParser((text) => check(name, value, text));
  }
}

/** An option with a value, such as `--at <dir>`. */
export class ValueOption extends Option {
  constructor(
    flags: string,
    readonly value: Value,
    description: string,
  ) {
    super(flags, description);
    if (typeof value !== 'string') this.choices(value);
    this.argParser((text) => check(this.long!, value, text));
  }
}

/** What the value of an argument or an option is; undefined for an option without one. */
export function kindOf(part: Argument | Option): Value | undefined {
  return part instanceof ValueArgument || part instanceof ValueOption ? part.value : undefined;
}
