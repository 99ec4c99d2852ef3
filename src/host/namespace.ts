/**
 * A command in namespaces of its own, where a model's devices are in /sys: the machine's side of it. It starts the
 * scripts of namespace-script.ts by way of unshare(1), passes signals on, and tells how it ended.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants as os } from 'node:os';
import type { Duplex } from 'node:stream';
import { isatty } from 'node:tty';
import { startAborter } from './aborter.js';
import { runAborterScript } from './aborter-script.js';
import { composeDev, composeRun } from './compose-own.js';
import { mounts } from './mountinfo.js';
import { bootScript, outerScript, places } from './namespace-script.js';

export interface NamespaceOptions {
  /** Whether to have a user namespace, in which anybody may mount. */
  user: boolean;
  /** Whether to have a network namespace, and with it uevents of its own. */
  net: boolean;
  /** The server of the model: a command that finds its descriptor of /dev/fuse as number 9. */
  daemon: readonly string[];
  command: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Socket with a seccomp listener for the daemon (pass-fd.ts); closed here when it has it. */
  listener?: number | undefined;
}

export interface NamespaceEnd {
  /** Exit code of the command; 128 and the number of the signal that ended it. */
  exitCode: number;
  /** Why the command did not run; undefined when it did. */
  fault?: string;
  /** Exit code of the daemon, when that ended before the command was started. */
  daemonExitCode?: number;
}

const forwarded = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;
/** A terminal sends these to everybody in the foreground, the command included. */
const ofTheTerminal: readonly string[] = ['SIGINT', 'SIGQUIT'];

/** What is mounted right below /sys, without what is below that. */
function sysMounts(): string[] {
  const below = mounts()
    .map(({ dir }) => dir)
    .filter((dir) => dir.startsWith('/sys/'))
    .map((dir) => dir.slice('/sys'.length));
  return [...new Set(below)].filter((dir) => !below.some((other) => dir.startsWith(`${other}/`)));
}

/**
 * Runs a command to its end.
 * @param died called when the daemon ends while the command runs
 */
export async function runInNamespace(
  { user, net, daemon, command, env, listener }: NamespaceOptions,
  died: (exitCode: number) => void,
): Promise<NamespaceEnd> {
  const run = composeRun('/run', '/sys').script('/sys/mdevfs/table');
  const dev = composeDev('/dev', '/sys').script('/run/mdevfs/table');
  const outer = outerScript(run, dev, sysMounts(), net);
  const aborter = startAborter(runAborterScript(user, places.lifeline, [places.model, places.dev]));
  const child = spawn(
    'unshare',
    [
      ...(user ? ['--user', '--map-root-user'] : []),
      ...(net ? ['--net'] : []),
      ...['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--'],
      ...['sh', '-c', bootScript, 'mdevfs-run', String(daemon.length), ...daemon, ...command],
    ],
    { stdio: ['inherit', 'inherit', 'inherit', 'pipe', 'pipe', 'pipe', listener ?? 'ignore'], env },
  );
  if (listener !== undefined) closeSync(listener);
  (child.stdio[4] as Duplex).on('error', () => {}).end(outer);
  const toDaemon = (child.stdio.at(5) as Duplex).on('error', () => {});
  const end: NamespaceEnd = { exitCode: 1 };
  const talk = child.stdio[3] as Duplex;
  let pid: number | undefined;
  let server: string | undefined;
  let daemonEnd: number | undefined;
  // A line cannot be sent to somebody who is about to end.
  talk.on('error', () => {});
  eachLine(talk, (line) => {
    const [what, ...words] = line.split(' ');
    if (what === 'fault') end.fault ??= words.join(' ');
    else if (what === 'mounted') toDaemon.write(`${line}\n`);
    else if (what === 'server') server = words[0];
    else if (what === 'pid') {
      pid = Number(words[0]);
      aborter.stdin?.end(`${child.pid} ${server}\n`);
    } else if (what === 'daemon') {
      daemonEnd = Number(words[0]);
      if (pid !== undefined) died(daemonEnd);
    }
  });
  const onTerminal = [0, 1, 2].some((fd) => isatty(fd));
  for (const signal of forwarded)
    process.on(signal, () => {
      if (onTerminal && ofTheTerminal.includes(signal)) return;
      if (pid === undefined) child.kill('SIGKILL');
      else talk.write(`kill ${signal.slice('SIG'.length)} ${pid}\n`);
    });
  try {
    end.exitCode = await exitCodeOf(child);
  } finally {
    aborter.kill('SIGKILL');
  }
  if (pid === undefined && end.fault === undefined) {
    if (daemonEnd !== undefined) end.daemonExitCode = daemonEnd;
    end.fault = 'the namespaces cannot be set up';
  }
  return end;
}

function eachLine(stream: Duplex, take: (line: string) => void): void {
  let rest = '';
  stream.on('data', (data: Buffer) => {
    const lines = (rest + data.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) take(line);
  });
}

function exitCodeOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT';
      reject(absent ? new Error('unshare(1) is not installed; install util-linux') : error);
    });
    // Not `exit`: what was said on descriptor 3 shall have been heard.
    child.on('close', (code, signal) => resolve(code ?? 128 + os.signals[signal!]));
  });
}
