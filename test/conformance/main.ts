/**
 * `npm run conformance -- [DIR] [--over process|mount|direct|fuse-native|run] [--only PATTERN] [--verbose]
 * [--max-mismatches N]`: replays recordings of a real kernel and exits with 1 when anything differs that is
 * not a documented exception.
 * @module
 */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Bench, ProcessBench } from './bench.js';
import { type Transport, transports } from './host.js';
import { RunBench } from './devices.js';
import { MountBench } from './mount.js';
import { replay } from './replay.js';
import { Report } from './report.js';

const ORACLE = fileURLToPath(new URL('../../../test/data/oracle/', import.meta.url));

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

function benchOf(over: Transport): Bench {
  if (over === 'process') return new ProcessBench();
  return over === 'run' ? new RunBench() : new MountBench(over);
}

interface Options {
  over: Transport;
  only?: string;
  verbose: boolean;
  maxMismatches: number;
}

const program = new Command('conformance')
  .description('replay recordings of a real kernel and compare')
  .argument('[dir]', 'folder of recordings', ORACLE)
  .addOption(new Option('--over <transport>', 'where to').choices(transports).default('process'))
  .option('--only <pattern>', 'only files or cases whose name holds this regular expression')
  .option('--verbose', 'also what is excused', false)
  .option('--max-mismatches <n>', 'how many to print for each file', wholeNumber, 20)
  .action(async (dir: string, options: Options) => {
    if (!existsSync(dir)) program.error(`${dir}: no such folder`);
    const { over, only, verbose, maxMismatches } = options;
    const bench = benchOf(over);
    const report = new Report(over, { verbose, maxMismatches, print: (line) => console.log(line) });
    const stop = (): void => {
      void bench.close().then(() => process.exit(130));
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    try {
      await replay({ dir, only: only === undefined ? undefined : new RegExp(only) }, bench, report);
      report.summary();
    } finally {
      await bench.close();
    }
    process.exitCode = report.mismatches === 0 ? 0 : 1;
  });

await program.parseAsync();
