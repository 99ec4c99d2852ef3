/**
 * client.c for machines without a C compiler: the same operations and the same output. Node itself costs some
 * microseconds for each call here, which makes fast file systems look more alike than they are.
 * @module
 */

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { median } from './stats.js';
import { uuidOf } from './tree.js';

const CHUNK = 20;
const buffer = Buffer.alloc(131072);
const times: number[] = [];

const now = (): number => Number(process.hrtime.bigint());

const repeated: Record<string, (path: string) => void> = {
  read(path) {
    const fd = openSync(path, constants.O_RDONLY);
    readSync(fd, buffer, 0, buffer.length, null);
    closeSync(fd);
  },
  cat(path) {
    const fd = openSync(path, constants.O_RDONLY);
    fstatSync(fd);
    while (readSync(fd, buffer, 0, buffer.length, null) > 0);
    closeSync(fd);
  },
  stat: (path) => void statSync(path),
  readlink: (path) => void readlinkSync(path),
  readdir: (path) => void readdirSync(path),
};

function repeat(once: (path: string) => void, ms: number, path: string): number {
  let count = 0;
  once(path);
  let at = now();
  const end = at + ms * 1e6;
  do {
    for (let i = 0; i < CHUNK; i++) once(path);
    count += CHUNK;
    const start = at;
    at = now();
    times.push((at - start) / CHUNK);
  } while (at < end);
  return count;
}

function timed(body: () => void): void {
  const start = now();
  body();
  times.push(now() - start);
}

function put(path: string, text: string): void {
  const fd = openSync(path, constants.O_WRONLY);
  writeSync(fd, text);
  closeSync(fd);
}

function perform(operation: string, args: string[]): number {
  const once = repeated[operation];
  if (once) return repeat(once, Number(args[0]), args[1]!);
  switch (operation) {
    case 'create': {
      const [file, first, count] = [args[0]!, Number(args[1]), Number(args[2])];
      for (let i = 0; i < count; i++) timed(() => put(file, `${uuidOf(first + i)}\n`));
      return count;
    }
    case 'remove': {
      const [prefix, suffix, first, count] = [args[0]!, args[1]!, Number(args[2]), Number(args[3])];
      for (let i = 0; i < count; i++) timed(() => put(`${prefix}/${uuidOf(first + i)}/${suffix}`, '1\n'));
      return count;
    }
    case 'run': {
      const [ms, program, ...words] = args;
      const end = now() + Number(ms) * 1e6;
      do
        timed(() => {
          const { status } = spawnSync(program!, words, { stdio: ['ignore', 'ignore', 'inherit'] });
          if (status !== 0) throw new Error(`${program} failed`);
        });
      while (now() < end);
      return times.length;
    }
    default:
      throw new Error(`no operation ${operation}`);
  }
}

const [root, operation, ...args] = process.argv.slice(2);
process.chdir(root!);
const count = perform(operation!, args);
const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
const done = operation! in repeated ? count + 1 : count;
console.log(JSON.stringify({ count, done, mean: Math.round(mean), p50: Math.round(median(times)!) }));
