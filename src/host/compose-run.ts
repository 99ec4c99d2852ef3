/**
 * The plan of a /run that belongs to one namespace: everything that is in the machine's, mounted on a directory in
 * memory, but for what udev, mount(8) and this program keep there. So a socket of the machine is where programs look
 * for it, and nothing that is made at the top of /run is seen outside. A udevd that is started with it has no rule to
 * load modules into the machine's kernel for devices that are not the machine's.
 * @module
 */

import { type Dirent, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Skeleton } from './compose-skeleton.js';

const own = ['mdevfs', 'mount', 'udev'];
const RULES = 'udev/rules.d';
const LOADS_MODULES = '80-drivers.rules';

/**
 * @param source /run of the machine
 * @param target the directory that is to become /run
 */
export function composeRun(source: string, target: string): Skeleton {
  const skeleton = new Skeleton();
  for (const name of own) skeleton.dir(join(target, name));
  skeleton.dir(join(target, RULES));
  skeleton.link(join(target, RULES, LOADS_MODULES), '/dev/null');
  for (const entry of entriesOf(source)) {
    if (own.includes(entry.name)) continue;
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) skeleton.bindDir(from, to);
    else if (entry.isSymbolicLink()) skeleton.link(to, readlinkSync(from));
    else skeleton.bindFile(from, to);
  }
  return skeleton;
}

function entriesOf(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}
