/**
 * `npm run torture -- [MINUTES] [--scenarios a,b] [--brief] [--seed N]`: clients that do what no client should, for as
 * long as is wished, and a table of what came of it. The exit code is 1 when something was wrong.
 * @module
 */

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { Interrupted, interrupt } from '../bench/child.js';
import { figuresTable, findings } from './report.js';
import { lackingOf, type Outcome, perform, scenarioNames, scenarioOf } from './runner.js';
import { isRight } from './scenario.js';

interface Options {
  scenarios?: string[];
  brief?: boolean;
  seed: number;
}

const MINUTES = 30;
/** Seconds of those that have no end of their own, in the brief form. */
const BRIEF_SECONDS = 4;

function number(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

function names(text: string): string[] {
  const known = scenarioNames();
  for (const name of text.split(','))
    if (!known.includes(name))
      throw new InvalidArgumentError(`no scenario ${name}; there are ${known.join(', ')}`);
  return text.split(',');
}

async function torture(minutes: number, { scenarios, brief = false, seed }: Options): Promise<boolean> {
  const chosen = scenarios ?? scenarioNames();
  const seconds = brief ? BRIEF_SECONDS : (minutes * 60) / chosen.length;
  const outcomes = new Map<string, Outcome>();
  try {
    for (const name of chosen) {
      const scenario = await scenarioOf(name);
      const lacking = lackingOf(scenario);
      console.log(`${name}: ${lacking ? `left out: ${lacking}` : scenario.name}`);
      if (lacking) continue;
      const outcome = await perform(scenario, { brief, seconds, seed });
      outcomes.set(name, outcome);
      for (const finding of findings(outcome)) console.log(`  ${finding}`);
    }
  } finally {
    if (outcomes.size > 0) console.log(`\n${figuresTable(outcomes)}`);
  }
  return [...outcomes.values()].every(({ figures }) => isRight(figures));
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);

const program = new Command('torture')
  .description('let clients do what no client should')
  .argument('[minutes]', 'how long, for all scenarios together', number, MINUTES)
  .option('--scenarios <list>', `which (default: all): ${scenarioNames().join()}`, names)
  .option('--brief', 'a few seconds for each, as CI does')
  .option('--seed <n>', 'what chance begins with', number, 1)
  .exitOverride();

try {
  program.parse();
  const right = await torture(program.processedArgs[0] as number, program.opts<Options>());
  process.exit(right ? 0 : 1);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof Interrupted) {
    console.error('torture: interrupted');
    process.exitCode = 130;
  } else {
    console.error(`torture: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
