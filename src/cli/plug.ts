/**
 * `mdevfs plug` and `mdevfs unplug`: a thin hand on `kernel/debug/mdevfs/hotplug`. A fixture file is read and checked here,
 * so that its faults have its name; the machine gets it as it is.
 * @module
 */

import { FixtureError } from '../machine/fixture.js';
import { type HotplugCommand, parseHotplugCommand, parsePlugged } from '../machine/hotplug-file.js';
import { moduleNames } from '../machine/modules.js';
import { meaning, readControl, writeControl } from './control-file.js';
import { isFileName } from './fixture.js';
import { commandErrorOf, fixtureText } from './read-fixture.js';

const FILE = 'hotplug';

/** @param what name of a parent or a fixture, or a file. @returns the exit code */
export function plug(dir: string, what: string): number {
  if (isFileName(what)) writeControl(dir, FILE, jsonOf(dir, what));
  else write(dir, 'add', what);
  return 0;
}

function write(dir: string, verb: HotplugCommand['verb'], name: string): void {
  const line = `${verb} ${name}`;
  meaning(verb === 'add' ? 'plug' : 'unplug', () => parseHotplugCommand(line));
  writeControl(dir, FILE, line);
}

/** The text of a fixture or a PCI function, in one line. */
function jsonOf(dir: string, file: string): string {
  const text = fixtureText(file);
  const loaded = readControl(dir, 'module').split('\n');
  try {
    parsePlugged(text, file, [...moduleNames, ...loaded]);
  } catch (error) {
    throw error instanceof FixtureError ? commandErrorOf(file, error) : error;
  }
  return JSON.stringify(JSON.parse(text));
}

/** @param what name of a parent or a fixture that was plugged in; without it, what there is is printed. */
export function unplug(dir: string, what?: string): number {
  if (what === undefined) process.stdout.write(readControl(dir, FILE));
  else write(dir, 'remove', what);
  return 0;
}
