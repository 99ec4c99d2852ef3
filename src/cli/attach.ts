/**
 * `mdevfs attach`: plays the virtual machine that has a mediated device, until it is interrupted. It is a thin hand on
 * `kernel/debug/mdevfs/attach`, so the device is let go however this process ends.
 * @module
 */

import { closeSync, existsSync, statfs, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseAttachment } from '../machine/attachment.js';
import { controlPath, meaning, openControl } from './control-file.js';
import { EXIT_FAILURE, EXIT_USAGE, failure, reportFailure } from './error.js';
import { servedTrees } from './trees.js';

export interface AttachCommandOptions {
  vm?: string;
  memory?: string;
  iommufd?: boolean;
  at?: string;
}

/** Between two looks whether the tree is still served. */
const LOOK_MS = 1000;

const reasons: Readonly<Record<string, string>> = {
  EBUSY: 'somebody has its group or the device open; see kernel/debug/mdevfs/holders',
  ENODEV: 'there is no such device; see bus/mdev/devices',
  ENOENT: 'this kernel has no such thing; without --iommufd it may work',
};

/** The trees that are served and have the device. */
function treesWith(uuid: string): string[] {
  return servedTrees().filter((dir) => existsSync(join(dir, 'bus/mdev/devices', uuid)));
}

function treeOf(uuid: string, at: string | undefined): string {
  const trees = at === undefined ? treesWith(uuid) : [at];
  if (trees.length === 0) throw failure(`${uuid}: no mounted tree has this device; see mdevfs status`);
  if (trees.length > 1)
    throw failure(`${uuid}: several trees have it; choose one with --at ${trees[0]}`, EXIT_USAGE);
  return trees[0]!;
}

/** @returns the exit code, once a signal came */
export async function attach(uuid: string, options: AttachCommandOptions): Promise<number> {
  const { vm, memory, iommufd, at } = options;
  const words = [uuid];
  if (vm !== undefined) words.push(`vm=${vm}`);
  if (memory !== undefined) words.push(`memory=${memory}`);
  if (iommufd) words.push('iommufd');
  const line = words.join(' ');
  meaning('attach', () => parseAttachment(line));
  const dir = treeOf(uuid, at);
  const fd = openControl(dir, 'attach', 'w');
  try {
    writeSync(fd, line);
  } catch (error) {
    closeSync(fd);
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw failure(`${uuid}: ${code}${reasons[code] ? `: ${reasons[code]}` : ''}`);
  }
  process.stdout.write(`${uuid}: attached in ${dir}; Ctrl-C lets it go\n`);
  const isServed = await new Promise<boolean>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(true));
    const file = controlPath(dir, 'attach');
    // The kernel answers for an open file by itself; the whole file system it asks the daemon about.
    setInterval(() => statfs(file, (error) => error && resolve(false)), LOOK_MS);
  });
  if (!isServed) reportFailure(failure(`${dir}: no longer served, so ${uuid} is no longer attached`));
  else closeSync(fd);
  process.exit(isServed ? 0 : EXIT_FAILURE);
}
