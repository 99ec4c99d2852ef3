/**
 * A process that uses a mount: `node worker.js DIR NUMBER [OPERATIONS]`. It creates and removes devices of its own,
 * reads values, lists directories and looks names up, for so many operations or until it is killed, and fails on
 * anything unexpected.
 * @module
 */

import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const [dir, number, operations] = process.argv.slice(2);
const uuid = `93b8f4f2-509f-382f-3c1e-${Number(number).toString(16).padStart(12, '0')}`;
const type = join(dir!, 'class/mdev_bus/mtty/mdev_supported_types/mtty-1');
const device = join(dir!, 'bus/mdev/devices', uuid);
const buffer = Buffer.alloc(4096);

function write(file: string, text: string): void {
  const fd = openSync(file, 'w');
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

function read(file: string): string {
  const fd = openSync(file, 'r');
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, null));
  } finally {
    closeSync(fd);
  }
}

function expect(what: string, good: boolean): void {
  if (!good) throw new Error(`worker ${number}: ${what}`);
}

/** 16 operations. */
function round(): void {
  write(join(type, 'create'), uuid);
  expect('made', existsSync(device));
  expect('its text', read(join(device, 'vendor/sample_mdev_dev')).includes(uuid));
  expect('its link', readlinkSync(join(device, 'mdev_type')).endsWith('mtty-1'));
  for (let n = 0; n < 4; n++) expect('the type', read(join(type, 'name')) === 'Single port serial\n');
  for (let n = 0; n < 2; n++) expect('a count', Number(read(join(type, 'available_instances'))) < 24);
  expect('listed', readdirSync(join(type, 'devices')).includes(uuid));
  expect('a file', statSync(join(device, 'remove')).size === 4096);
  expect('nothing', !existsSync(join(type, `nothing-${Math.random()}`)));
  write(join(device, 'remove'), '1');
  expect('gone', !existsSync(device));
  expect('gone from its type', !existsSync(join(type, 'devices', uuid)));
}

// What a worker of the same number left behind when it was killed.
if (existsSync(device)) write(join(device, 'remove'), '1');
const rounds = operations === undefined ? Number.POSITIVE_INFINITY : Number(operations) / 16;
for (let n = 0; n < rounds; n++) round();
