/**
 * `mdevfs enter`: runs a command, or a shell, where another `mdevfs run` has its devices.
 * @module
 */

import { processInside, runInside } from '../host/namespace-find.js';
import { failure } from './error.js';
import { shellCommand } from './shell.js';

/** @returns the exit code of the command */
export async function enter(text: string, words: string[]): Promise<number> {
  // What follows a number is not taken apart, and neither is the `--` before it.
  const command = words[0] === '--' ? words.slice(1) : words;
  const pid = Number(text);
  const inside = processInside(pid);
  if (inside === undefined) throw failure(`${pid}: no mdevfs run of yours; mdevfs status lists them`);
  const env = { ...process.env, SYSTEMD_DEVICE_VERIFY_SYSFS: '0' };
  return runInside(inside, command.length > 0 ? command : shellCommand(), env);
}
