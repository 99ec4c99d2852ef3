/**
 * `npm run bench -- [--rounds N] [--devices 10,1000,10000] [--candidates a,b] [--scale N] [--quick] [--json FILE]`:
 * measures the daemon beside what it is to be compared with, in one run, and says which targets are met. The exit
 * code is 0 also when some are not: what a busy machine measures is no verdict.
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { Caller } from './caller.js';
import type { Candidate } from './candidate.js';
import { type CandidateName, Candidates, candidateNames } from './candidates.js';
import { Interrupted, interrupt, run } from './child.js';
import { packageRoot } from './compile.js';
import { placements } from './cpus.js';
import { devicesTable, measureDevices } from './devices.js';
import { iommuTable, measureIommu } from './iommu.js';
import { Measurement, type Plan } from './measure.js';
import { coldTable, ratioTable, skippedLines, targetTable, timeTable, tripTable } from './report.js';
import { Samples } from './samples.js';
import { measureStartup, startupTable } from './startup.js';
import { isMet, targets } from './targets.js';

const FULL: Plan = {
  devices: [10, 1000, 10_000],
  rounds: 5,
  ms: 60,
  walkMs: 250,
  cycles: 50,
  scale: 100_000,
  idleSeconds: 5,
  limitMs: 20_000,
  walksMs: 10_000,
};
const QUICK: Plan = {
  ...FULL,
  devices: [10, 1000],
  rounds: 2,
  ms: 40,
  walkMs: 100,
  cycles: 20,
  scale: 0,
  limitMs: 5000,
  walksMs: 1000,
};

/** Load average from which on it is not this benchmark alone that keeps the machine busy. */
const BUSY = 0.5;

interface Options {
  rounds?: number;
  devices?: number[];
  candidates?: CandidateName[];
  scale?: number;
  quick?: boolean;
  json: string;
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
    return value;
  };
}

function sizes(text: string): number[] {
  const each = text.split(',').map(wholeNumber(1, 1_000_000));
  return [...new Set(each)].sort((a, b) => a - b);
}

function names(text: string): CandidateName[] {
  const all = text.split(',');
  for (const name of all)
    if (!candidateNames.some((known) => known === name))
      throw new InvalidArgumentError(`no candidate ${name}; there are ${candidateNames.join(', ')}`);
  return candidateNames.filter((name) => all.includes(name));
}

const program = new Command('bench')
  .description('measure the daemon beside what it is to be compared with')
  .option('--rounds <n>', `how often everybody has a turn (default: ${FULL.rounds})`, wholeNumber(1, 1000))
  .option('--devices <list>', `numbers of devices (default: ${FULL.devices.join()})`, sizes)
  .option('--candidates <list>', `what to measure (default: ${candidateNames.join()})`, names)
  .option(
    '--scale <n>',
    `devices for create and remove among many (default: ${FULL.scale})`,
    wholeNumber(0, 1e6),
  )
  .option('--quick', 'less of everything, under a minute')
  .option('--json <file>', 'takes every sample', join(packageRoot, 'dist/bench.json'))
  .exitOverride();

/** Says what is going on, where somebody watches. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

async function prepared(candidates: Candidates, wanted: CandidateName[]): Promise<Candidate[]> {
  const ready: Candidate[] = [];
  for (const name of wanted) {
    const candidate = candidates.get(name);
    try {
      await candidate.prepare();
      ready.push(candidate);
      console.log(`${name.padEnd(12)} ${candidate.about}`);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      console.log(`${name.padEnd(12)} left out: ${(error as Error).message}`);
    }
  }
  return ready;
}

function write(file: string, content: object): void {
  mkdirSync(dirname(resolve(file)), { recursive: true });
  writeFileSync(file, `${JSON.stringify(content, null, 1)}\n`);
}

function section(title: string, text: string): void {
  console.log(`\n${title}\n\n${text}`);
}

async function bench(options: Options): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('mounting needs root; run it with sudo');
  await run(['taskset', '--version'], 10_000).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new Error('taskset(1) is not installed; install util-linux') : error;
  });
  const standard = options.quick ? QUICK : FULL;
  const plan: Plan = {
    ...standard,
    rounds: options.rounds ?? standard.rounds,
    devices: options.devices ?? standard.devices,
    scale: options.scale ?? standard.scale,
  };
  const started = Date.now();
  const caller = await Caller.find();
  const candidates = await prepared(new Candidates(caller), options.candidates ?? [...candidateNames]);
  console.log(
    `\nclient: ${caller.language}${caller.language === 'C' ? '' : ' (gcc is missing: less exact)'}`,
  );
  console.log(
    `machine: ${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} CPUs, Linux ${release()}`,
  );
  if (placements.length === 1) console.log('on two CPUs: left out, this process may use only one');
  const [load = 0] = loadavg();
  if (load > BUSY) console.log(`others are at work (load ${load.toFixed(1)}): expect outliers`);
  const samples = new Samples();
  await new Measurement(plan, candidates, caller, samples, progress).run();
  progress('mdevfs run');
  const startup = await measureStartup(options.quick ? 3 : 15);
  progress('VFIO devices');
  const devices = await measureDevices(options.quick ? 200 : 1000);
  progress('IOMMU, in process');
  const iommu = measureIommu(options.quick ? 100_000 : 1_000_000);
  progress('');
  const list = targets(samples, plan.scale, startup.ratio, devices);
  write(options.json, {
    date: new Date(started).toISOString(),
    node: process.version,
    kernel: release(),
    cpu: cpus()[0]?.model,
    client: caller.language,
    load,
    plan,
    targets: list.map((target) => ({ ...target, met: isMet(target) ?? null })),
    roundTrips: samples.roundTrips,
    idle: samples.idle,
    devices,
    iommu,
    startup,
    skipped: samples.skipped,
    samples: samples.all,
  });
  section('Ratios (more is better; CPUs: one for client and server, or one each)', ratioTable(samples));
  section('Medians for one operation', timeTable(samples));
  section('The first time', coldTable(samples));
  section(
    'Requests that somebody waited for, warm',
    tripTable(samples) ?? 'not known: the daemon has no kernel/debug/mdevfs/ops',
  );
  section('Start to end', startupTable(startup));
  section('VFIO devices, client and server on one CPU', devicesTable(devices));
  section('IOMMU, in process', iommuTable(iommu));
  section('Targets', targetTable(list));
  const left = skippedLines(samples);
  if (left.length > 0) console.log(`\n${left.join('\n')}`);
  console.log(`\nsamples: ${options.json}; ${Math.round((Date.now() - started) / 1000)} s`);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);

try {
  program.parse();
  await bench(program.opts<Options>());
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof Interrupted) {
    console.error('bench: interrupted');
    process.exitCode = 130;
  } else {
    console.error(`bench: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
