/**
 * How long `mdevfs run` takes from the command line to its end, with a command that does nothing. Most of it is the
 * start of Node, twice, so that is what it is compared with.
 * @module
 */

import { join } from 'node:path';
import { run } from './child.js';
import { packageRoot } from './compile.js';
import { median } from './stats.js';
import { duration, ratio, table } from './table.js';

const program = join(packageRoot, 'dist/bin/mdevfs/main.js');

/** Long enough for a busy machine. */
const LIMIT_MS = 20_000;

export interface StartupBench {
  /** Nanoseconds of each round. */
  node: number[];
  run: number[];
  /** Median of the ratios of each round; undefined without namespaces. */
  ratio: number | undefined;
}

async function timeOf(...argv: string[]): Promise<number> {
  const start = process.hrtime.bigint();
  await run([process.execPath, ...argv], LIMIT_MS);
  return Number(process.hrtime.bigint() - start);
}

/** Both take turns. */
export async function measureStartup(rounds: number): Promise<StartupBench> {
  const bench: StartupBench = { node: [], run: [], ratio: undefined };
  try {
    for (let round = 0; round < rounds; round++) {
      bench.node.push(await timeOf('--eval', '0'));
      bench.run.push(await timeOf(program, 'run', '--', 'true'));
    }
  } catch (error) {
    console.log(`mdevfs run: left out: ${(error as Error).message}`);
    return bench;
  }
  bench.ratio = median(bench.run.map((time, i) => time / bench.node[i]!));
  return bench;
}

export function startupTable({ node, run: runs, ratio: times }: StartupBench): string {
  return table(
    ['', 'median', 'x node'],
    [
      ['node -e 0', duration(median(node)), ''],
      ['mdevfs run -- true', duration(median(runs)), ratio(times)],
    ],
  );
}
