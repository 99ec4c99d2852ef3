/**
 * What a client needs for a FUSE of its own: a node of the FUSE device that it may open, and a folder to mount at.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder, subfolder } from './scratch.js';
import type { Context } from './scenario.js';

/** Of the FUSE device (Documentation/admin-guide/devices.txt). */
const [MAJOR, MINOR] = ['10', '229'];

/** @returns paths of the node and of the folder */
export function ownFuse({ scope }: Context, user = 0): [string, string] {
  const folder = scratchFolder(scope);
  const node = join(folder, 'fuse');
  const dir = subfolder(folder, 'own');
  const { status, stderr } = spawnSync('mknod', ['-m', '666', node, 'c', MAJOR, MINOR], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr.trim());
  chmodSync(node, 0o666);
  chownSync(dir, user, user);
  return [node, dir];
}
