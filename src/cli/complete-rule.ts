/**
 * Words of a rule of fault injection: keys that it does not have yet, and their values, which for devices, parents, drivers
 * and paths are what the tree has.
 * @module
 */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Errno } from '../lib/errno.js';
import { ioctlRequestNames } from '../machine/fault-request.js';
import { faultKeys, operations } from '../machine/fault-schema.js';
import { files, namesIn } from './complete-file.js';
import type { Candidate } from './complete-value.js';

/** Values by key, with the tree and what there is of the value. */
const values: Readonly<Record<string, (dir: string | undefined, value: string) => Iterable<string>>> = {
  op(_, value) {
    const given = value.split(',').slice(0, -1);
    return operations
      .filter((operation) => !given.includes(operation))
      .map((operation) => [...given, operation].join(','));
  },
  errno: () => Object.keys(Errno),
  request: () => ioctlRequestNames,
  device: (dir) => inTree(dir, 'bus/mdev/devices', 'class/mdev_bus', 'bus/pci/devices'),
  parent: (dir) => inTree(dir, 'class/mdev_bus'),
  driver: (dir) => inTree(dir, 'bus').flatMap((bus) => inTree(dir, `bus/${bus}/drivers`)),
  path: (dir, value) => (dir === undefined ? [] : paths(dir, value)),
};

/** @param dir the tree, if there is one. @param earlier words of the rule */
export function ruleWords(dir: string | undefined, earlier: readonly string[], current: string): Candidate[] {
  const [key = '', value] = current.split(/=(.*)/s);
  if (value !== undefined)
    return [...new Set(values[key]?.(dir, value))].map((text) => ({ text: `${key}=${text}` }));
  const given = earlier.map((word) => word.split('=')[0]);
  return Object.entries(faultKeys)
    .filter(([name]) => !given.includes(name))
    .map(([name, about]) => ({ text: `${name}=`, about: about.split(/(?<=\.) /)[0] }));
}

function inTree(dir: string | undefined, ...parts: string[]): string[] {
  return dir === undefined ? [] : parts.flatMap((part) => namesIn(join(dir, part)));
}

/** Paths as a rule may have them: from the tree on, below /sys or /dev of the machine, or where the tree is mounted. */
function paths(dir: string, value: string): string[] {
  if (value.startsWith('/dev/')) return deviceFiles(dir);
  if (value.startsWith('/sys/')) return files(value.slice(5), undefined, dir).map((path) => `/sys/${path}`);
  if (value.startsWith(`${resolve(dir)}/`)) return files(value);
  return value.startsWith('/') ? ['/sys/', '/dev/', `${resolve(dir)}/`] : files(value, undefined, dir);
}

function deviceFiles(dir: string): string[] {
  const char = join(dir, 'dev/char');
  return namesIn(char).flatMap((number) => {
    try {
      const name = /^DEVNAME=(.+)$/m.exec(readFileSync(join(char, number, 'uevent'), 'utf8'))?.[1];
      return name === undefined ? [] : [`/dev/${name}`];
    } catch {
      return [];
    }
  });
}
