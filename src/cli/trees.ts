/**
 * Which mounted tree a command means: the one it was told, or the only one that fits.
 * @module
 */

import { mountpointState } from '../host/mountpoint.js';
import { isInside } from '../host/namespace-find.js';
import { records } from '../host/record.js';

const SYS = '/sys';

/** Every tree that is served here: at the directories of `mdevfs mount`, or at /sys inside of `mdevfs run`. */
export function servedTrees(): string[] {
  const dirs = records()
    .map(({ dir }) => dir)
    .filter((dir) => mountpointState(dir).kind === 'served');
  return isInside() ? [SYS, ...dirs] : dirs;
}
