/**
 * `mdevfs complete -- WORD...`: what could stand for the last word of a command line, for the shells. Each line is a text
 * and, after a tab, what it is. A text that ends with `=` or `/` goes on, others are whole words.
 *
 * Whatever goes wrong, there is nothing to offer: nobody who types wants to read of it.
 * @module
 */

import type { Command, Option } from 'commander';
import { type Before, type Candidate, candidatesFor } from './complete-value.js';
import { kindOf, type Value } from './value.js';

/** Prints them. @returns the exit code */
export async function complete(program: Command, words: readonly string[]): Promise<number> {
  const lines = (await candidates(program, words))
    .filter(({ text }) => !/[\t\n]/.test(text))
    .map(({ text, about }) => (about ? `${text}\t${about.replace(/\s+/g, ' ')}\n` : `${text}\n`));
  process.stdout.write(lines.join(''));
  return 0;
}

export async function candidates(program: Command, words: readonly string[]): Promise<Candidate[]> {
  const current = words.at(-1) ?? '';
  try {
    const all = await possible(program, words.slice(0, -1), current);
    return all.filter(({ text }) => text.startsWith(current));
  } catch {
    return [];
  }
}

const isShown = (command: Command): boolean => !(command as Command & { _hidden: boolean })._hidden;

const takesValue = ({ required, optional }: Option): boolean => required || optional;

const flags = (options: readonly Option[]): Candidate[] => [
  ...options.flatMap(({ short, long, description }) =>
    [long, short].flatMap((text) => (text ? [{ text, about: description }] : [])),
  ),
  { text: '--help', about: 'what there is to say' },
];

async function possible(program: Command, before: readonly string[], current: string): Promise<Candidate[]> {
  const [name, ...words] = before;
  if (name === undefined) {
    const commands = program.commands
      .filter(isShown)
      .map((command) => ({ text: command.name(), about: command.description() }));
    return current.startsWith('-') ? flags(program.options) : commands;
  }
  const command = program.commands.find((each) => each.name() === name && isShown(each));
  return command ? withinCommand(command, words, current) : [];
}

async function withinCommand(
  command: Command,
  words: readonly string[],
  current: string,
): Promise<Candidate[]> {
  const shown = command.options.filter(({ hidden }) => !hidden);
  const optionOf = (flag: string) => shown.find(({ short, long }) => flag === short || flag === long);
  const kinds = command.registeredArguments.map((argument) => kindOf(argument));
  const args: string[] = [];
  const options = new Map<string, string>();
  const used = new Set<Option>();
  let hasFlags = true;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (hasFlags && word === '--') hasFlags = false;
    else if (hasFlags && /^-./.test(word)) {
      const [flag = '', value] = word.split(/=(.*)/s);
      const option = optionOf(flag);
      if (!option) continue;
      used.add(option);
      if (!takesValue(option)) continue;
      const given = value ?? words[++at];
      if (given === undefined) return candidatesFor(kindOf(option), current, { args, options });
      options.set(option.long!, given);
    } else {
      args.push(word);
      // The words of a program are its own.
      if (kinds.includes('command')) hasFlags = false;
    }
  }
  const before: Before = { args, options };
  if (hasFlags && current.startsWith('-')) {
    const [flag = '', value] = current.split(/=(.*)/s);
    const option = optionOf(flag);
    if (value === undefined || !option) return flags(shown.filter((each) => !used.has(each)));
    const all = await candidatesFor(kindOf(option), value, before);
    return all.map(({ text, about }) => ({ text: `${flag}=${text}`, about }));
  }
  const last = command.registeredArguments.at(-1);
  const kind: Value | undefined = kinds[args.length] ?? (last?.variadic ? kinds.at(-1) : undefined);
  if (kind !== undefined) return candidatesFor(kind, current, before);
  return hasFlags && current === '' ? flags(shown.filter((each) => !used.has(each))) : [];
}
