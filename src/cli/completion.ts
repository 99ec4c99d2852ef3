/**
 * `mdevfs completion`: the script by which a shell completes command lines of this program, made from what the command
 * line itself knows.
 * @module
 */

import type { Command, Option } from 'commander';
import { fixtureNames } from './fixture.js';

export type ShellName = 'bash' | 'zsh' | 'fish';

/** What can stand for a value, by the name it has in the help. */
type Value = 'dir' | 'file' | 'fixture' | readonly string[] | undefined;

interface Word {
  /** As it is typed, such as `-f`, `--fixture`. */
  flags: string[];
  about: string;
  /** Whether a value follows, and which. */
  takes: boolean;
  value: Value;
}

interface Subcommand {
  name: string;
  about: string;
  options: Word[];
  /** What its first argument is. */
  argument: Value;
}

function completionOf(name: string, choices: readonly string[] | undefined): Value {
  if (choices) return choices;
  return (['dir', 'file', 'fixture'] as const).find((kind) => kind === name);
}

function wordOf({ short, long, description, required, optional, flags, argChoices }: Option): Word {
  const name = /[<[](\w+)/.exec(flags)?.[1] ?? '';
  return {
    flags: [short, long].filter((flag) => flag !== undefined && flag !== null),
    about: description,
    takes: required || optional,
    value: completionOf(name, argChoices),
  };
}

function isShown(command: Command): boolean {
  return !(command as Command & { _hidden: boolean })._hidden;
}

function subcommandsOf(program: Command): Subcommand[] {
  return program.commands.filter(isShown).map((command) => {
    const [first] = command.registeredArguments;
    return {
      name: command.name(),
      about: command.description(),
      options: command.options.filter(({ hidden }) => !hidden).map(wordOf),
      argument: first && completionOf(first.name(), first.argChoices),
    };
  });
}

/** @returns the exit code */
export function completion(program: Command, shell: ShellName): number {
  const all = subcommandsOf(program);
  process.stdout.write(shell === 'fish' ? fish(all) : shell === 'zsh' ? zsh(all) : bash(all));
  return 0;
}

/** A shell function of bash's that fills COMPREPLY. */
function compgen(value: Value): string {
  const reply = (how: string) => `COMPREPLY+=($(compgen ${how} -- "$current"))`;
  if (value === 'dir') return reply('-d');
  if (value === 'file') return reply('-f');
  if (value === 'fixture') return `${reply(`-W '${fixtureNames().join(' ')}'`)}; ${reply('-f')}`;
  return value ? reply(`-W '${value.join(' ')}'`) : ':';
}

function bash(all: readonly Subcommand[]): string {
  const cases = all.map(({ name, options, argument }) => {
    const values = options
      .filter(({ takes }) => takes)
      .map(({ flags, value }) => `        ${flags.join('|')}) ${compgen(value)}; return ;;\n`);
    const flags = options.flatMap((option) => option.flags).join(' ');
    return `    ${name})
      case $previous in
${values.join('')}      esac
      case $current in
        -*) COMPREPLY=($(compgen -W '${flags} --help' -- "$current")) ;;
        *) ${compgen(argument)} ;;
      esac ;;
`;
  });
  return `# mdevfs completion bash; in ~/.bashrc: source <(mdevfs completion bash)
_mdevfs() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${all.map(({ name }) => name).join(' ')} --help --version' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('')}  esac
}
complete -o filenames -F _mdevfs mdevfs
`;
}

function zsh(all: readonly Subcommand[]): string {
  const start = '# mdevfs completion zsh; in ~/.zshrc: source <(mdevfs completion zsh)';
  return `${start}\nautoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(all)}`;
}

const inQuotes = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;

function fish(all: readonly Subcommand[]): string {
  const lines = ['# mdevfs completion fish; mdevfs completion fish > ~/.config/fish/completions/mdevfs.fish'];
  const add = (condition: string, rest: string): void =>
    void lines.push(`complete -c mdevfs -n ${inQuotes(condition)} ${rest}`);
  const words = (value: Value): string => {
    if (value === 'dir') return `-x -a '(__fish_complete_directories)'`;
    if (value === 'file') return '-r -F';
    if (value === 'fixture') return `-r -F -a '${fixtureNames().join(' ')}'`;
    return value ? `-x -a '${value.join(' ')}'` : '-x';
  };
  lines.push('complete -c mdevfs -f');
  for (const { name, about, options, argument } of all) {
    add('__fish_use_subcommand', `-a ${name} -d ${inQuotes(about)}`);
    const within = `__fish_seen_subcommand_from ${name}`;
    if (argument) add(within, words(argument));
    for (const { flags, takes, value, about: what } of options) {
      const names = flags.map((flag) =>
        flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
      );
      add(within, `${names.join(' ')} ${takes ? `${words(value)} ` : ''}-d ${inQuotes(what)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
