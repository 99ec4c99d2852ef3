/**
 * A process that reads attributes that never change until that fails, and says why: `node constants-reader.js DIR [PID
 * NUMBER MICROSECONDS]`. Everything is opened once, and then again, which is when backing files are made. With a
 * number, it kills the daemon so long after it opened so many for the second time. No path has a link in it: reading one
 * of a dead mount is EIO.
 * @module
 */

import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

const [dir, ...numbers] = process.argv.slice(2);
const [pid, killAt, delay] = numbers.map(Number);
const buffer = Buffer.alloc(4096);
const constant = /\/(name|device_api|description|srcversion|initsize)$/;

function open(file: string): void {
  const fd = openSync(file, 'r');
  try {
    readSync(fd, buffer, 0, buffer.length, null);
  } finally {
    closeSync(fd);
  }
}

const entriesOf = (path: string): string[] => readdirSync(path).map((name) => join(path, name));

function killAfter(microseconds: number): void {
  const start = performance.now();
  while ((performance.now() - start) * 1000 < microseconds);
  process.kill(pid!, 'SIGKILL');
}

function read(): never {
  const directories = [
    ...['mtty', 'mdpy', 'mbochs'].flatMap((name) =>
      entriesOf(join(dir!, `devices/virtual/${name}/${name}/mdev_supported_types`)),
    ),
    ...entriesOf(join(dir!, 'module')),
  ];
  const files = directories.flatMap(entriesOf).filter((file) => constant.test(file));
  if (files.length < 20) throw new Error(`only ${files.length} attributes`);
  for (const file of files) open(file);
  for (let opened = 0; ; opened++) {
    open(files[opened % files.length]!);
    if (opened === killAt! % files.length) killAfter(delay!);
  }
}

try {
  read();
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  process.stdout.write(code ?? message);
}
