/**
 * `mdevfs plug` and `mdevfs unplug`: a thin hand on `kernel/debug/mdevfs/hotplug`. A fixture file is read and checked here,
 * so that its faults have its name; the machine gets it as it is.
 * @module
 */

import { readFileSync } from 'node:fs';
import { parseFixture } from '../machine/fixture.js';
import { moduleNames } from '../machine/modules.js';
import { readControl, writeControl } from './control-file.js';
import { commandErrorOf } from './read-fixture.js';

const FILE = 'hotplug';

/** @param what name of a parent or a fixture, or a file. @returns the exit code */
export function plug(dir: string, what: string): number {
  const isFile = what.includes('/') || what.endsWith('.json');
  writeControl(dir, FILE, isFile ? `add ${textOf(what)}` : `add ${what}`);
  return 0;
}

function textOf(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    // A function by itself is checked by the machine.
    if (!/"address"/.test(text) || /"name"/.test(text)) parseFixture(text, file, { modules: moduleNames });
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw commandErrorOf(file, error);
  }
}

/** @param what name of a parent or a fixture that was plugged in; without it, what there is is printed. */
export function unplug(dir: string, what?: string): number {
  if (what === undefined) process.stdout.write(readControl(dir, FILE));
  else writeControl(dir, FILE, `remove ${what}`);
  return 0;
}
