/**
 * `mdevfs run`: runs a command that sees a model's devices in /sys, beside the machine's own. Nobody else sees them,
 * and everything is gone when the command ends.
 * @module
 */

import { accessSync, constants } from 'node:fs';
import { runInNamespace } from '../host/namespace.js';
import { namespaceFault } from '../host/namespace-fault.js';
import { isInside } from '../host/namespace-find.js';
import { NativeCalls } from '../host/native.js';
import { sendFd } from '../host/pass-fd.js';
import { SERVE_RUN } from '../host/serve-run-name.js';
import { holdSystemCalls } from '../host/seccomp-filter.js';
import { failure } from './error.js';
import { DEFAULT_FIXTURE, fixtureFile } from './fixture.js';
import { shellCommand } from './shell.js';

export interface RunCommandOptions {
  /** The machine: a name or a file. */
  host?: string;
  root?: boolean;
  user?: boolean;
  uevents: boolean;
}

const FUSE_DEVICE = '/dev/fuse';

/** @returns the exit code of the command */
export async function run(command: string[], options: RunCommandOptions): Promise<number> {
  if (isInside()) throw failure('this is inside of mdevfs run already; mdevfs plug /sys adds to its machine');
  const fixture = fixtureFile(options.host ?? DEFAULT_FIXTURE);
  const isRoot = process.geteuid?.() === 0;
  if (options.root && !isRoot) throw failure('--root needs root; run it with sudo, or without --root');
  const user = options.user ?? !isRoot;
  assertFuse(isRoot);
  const daemon = [process.execPath, ...process.execArgv, process.argv[1]!, SERVE_RUN, fixture];
  if (options.uevents) daemon.push('--uevents');
  const held = await holdForDaemon();
  if (typeof held === 'string') daemon.push('--without-listener', held);
  // A user namespace may mount a sysfs only together with a network.
  const net = user || options.uevents;
  const end = await runInNamespace(
    {
      user,
      net,
      daemon,
      command: command.length > 0 ? command : shellCommand(),
      env: process.env,
      listener: typeof held === 'string' ? undefined : held.socket,
    },
    (code) =>
      process.stderr.write(
        `mdevfs: the daemon ended (${code}): emulated devices, /sys/class and /sys/bus of this command now fail with ENOTCONN\n`,
      ),
  );
  if (end.fault === undefined) return end.exitCode;
  // The daemon has said why.
  if (end.daemonExitCode !== undefined) return end.daemonExitCode;
  throw failure(namespaceFault(end.fault, { user, net }));
}

/** Holds the system calls of the command that the daemon answers; or says why they cannot be. */
async function holdForDaemon(): Promise<{ socket: number } | string> {
  try {
    const calls = await NativeCalls.load();
    const held = holdSystemCalls(calls);
    return typeof held === 'string' ? held : { socket: sendFd(calls, held.listener) };
  } catch (error) {
    return (error as Error).message;
  }
}

function assertFuse(isRoot: boolean): void {
  try {
    accessSync(FUSE_DEVICE, constants.R_OK | constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' && !isRoot)
      throw failure(
        `${FUSE_DEVICE} is not readable and writable for you; have root do chmod 666 ${FUSE_DEVICE}, or use sudo`,
      );
    throw failure(
      `${FUSE_DEVICE} is not there or not usable; modprobe fuse, or start the container with --device ${FUSE_DEVICE} --cap-add SYS_ADMIN`,
    );
  }
}
