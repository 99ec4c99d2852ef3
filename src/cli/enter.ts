/**
 * `mdevfs enter`: runs a command, or a shell, where another `mdevfs run` has its devices.
 * @module
 */

import { openRun, runInside } from '../host/namespace-find.js';
import { failure } from './error.js';
import { shellCommand } from './shell.js';

/** @returns the exit code of the command */
export async function enter(text: string, words: string[]): Promise<number> {
  // What follows a number is not taken apart, and neither is the `--` before it.
  const command = words[0] === '--' ? words.slice(1) : words;
  const pid = Number(text);
  const inside = openRun(pid);
  if (inside === undefined) throw failure(`${pid}: no mdevfs run of yours; mdevfs status lists them`);
  // In a user namespace its owner mounts what he likes, also in place of the command.
  const other = inside.isOtherUser ? inside.uids.find((uid) => uid !== process.geteuid!()) : undefined;
  if (other !== undefined)
    throw failure(
      `${pid}: a run of user ${other}, who decides what is executed there; sudo -u '#${other}' mdevfs enter ${pid}`,
    );
  const env = { ...process.env, SYSTEMD_DEVICE_VERIFY_SYSFS: '0' };
  return runInside(inside, command.length > 0 ? command : shellCommand(), env);
}
