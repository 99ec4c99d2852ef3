/**
 * Whether udevd runs, so that nobody else has to do what it does.
 * @module
 */

import { readFileSync } from 'node:fs';

export const UDEV_CONTROL = '/run/udev/control';

/** Whether a udevd runs in this process's network namespace: its socket is listed with those of the namespace. */
export function udevdRuns(): boolean {
  try {
    return readFileSync('/proc/self/net/unix', 'latin1').includes(` ${UDEV_CONTROL}\n`);
  } catch {
    return false;
  }
}
