/**
 * Guests that are started by the shell of a session, several of them if need be.
 * @module
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { scratch } from './client.js';
import { type GuestFiles, machineOf } from './guest.js';
import { GuestShell } from './guest-shell.js';
import { QEMU } from './qemu.js';
import type { Session } from './session.js';

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'latin1') : '');

export interface GuestOfSession {
  readonly shell: GuestShell;
  /** Number of its QEMU in the session. */
  readonly pid: number;
  /** Waits for it to boot. @throws Error with what QEMU or the guest's kernel wrote when it does not come up */
  booted(): Promise<void>;
}

/**
 * Starts a guest, until the end of the session.
 * @param args for QEMU, without quotes
 */
export async function startGuest(
  t: Test,
  session: Session,
  files: GuestFiles,
  args: readonly string[],
): Promise<GuestOfSession> {
  const dir = scratch(t);
  const [console, errors] = [join(dir, 'console'), join(dir, 'errors')];
  const shell = await GuestShell.listen(join(dir, 'shell'));
  t.teardown(() => shell.close());
  const words = [
    ...[QEMU, '-nodefaults', '-no-user-config', '-display', 'none', '-accel', 'tcg'],
    ...['-serial', `file:${console}`, ...machineOf(files, shell), ...args],
  ];
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const pid = Number((await session.run(`${quoted} > ${errors} 2>&1 & echo $!`)).stdout);
  return {
    shell,
    pid,
    async booted() {
      try {
        await shell.booted();
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${textOf(errors)}${textOf(console)}`);
      }
    },
  };
}
