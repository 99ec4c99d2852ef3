/**
 * Plans of a /run and a /dev that belong to one namespace: everything that is in the machine's, mounted on a directory in
 * memory, but for some names. So a socket or a device of the machine is where programs look for it, and nothing that is
 * made at the top is seen outside.
 *
 * What udev, mount(8) and this program keep in /run is left out. A udevd that is started in the namespace has no rule to
 * load modules into the machine's kernel for devices that are not the machine's. Of /dev, VFIO and the iommufd are left
 * out. What the machine adds at the top of either later is not seen inside.
 * @module
 */

import { type Dirent, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { shownInDev } from './compose-live.js';
import { Skeleton } from './compose-skeleton.js';

const own = { run: ['mdevfs', 'mount', 'udev'], dev: shownInDev };
const RULES = 'udev/rules.d';
const LOADS_MODULES = '80-drivers.rules';

/**
 * @param source /run of the machine
 * @param target the directory that is to become /run
 */
export function composeRun(source: string, target: string): Skeleton {
  const skeleton = new Skeleton();
  for (const name of own.run) skeleton.dir(join(target, name));
  skeleton.dir(join(target, RULES));
  skeleton.link(join(target, RULES, LOADS_MODULES), '/dev/null');
  return addAllBut(skeleton, own.run, source, target);
}

/** The same of /dev. */
export function composeDev(source: string, target: string): Skeleton {
  const skeleton = new Skeleton();
  skeleton.dir(join(target, 'vfio'));
  return addAllBut(skeleton, own.dev, source, target);
}

function addAllBut(skeleton: Skeleton, names: readonly string[], source: string, target: string): Skeleton {
  for (const entry of entriesOf(source)) {
    if (names.includes(entry.name)) continue;
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
