/**
 * Frees the clients of a daemon that was killed and cannot end. A thread of it may wait in the kernel for a lock that a
 * client holds which waits for the daemon (notifier.ts); until that thread ends, the process is not gone, its descriptors
 * of /dev/fuse are not closed, and all three wait. So somebody who outlives the daemon aborts its connections.
 *
 * Nobody is told that such a process is dead: to its parent and to pidfds it lives as long as one of its threads does. But
 * its children can be told when the thread that started them ends (prctl(2), PDEATHSIG). So there are two small processes
 * for each process with mounts, however many it has:
 *
 * * the lifeline, which the kernel kills together with the main thread, and which does nothing but copy lines;
 * * the aborter, which reads them, and learns of the lifeline's end by the end of its input.
 *
 * Of `mdevfs run`, the first is a child of the server, and the second one of the program outside, since whatever is inside of
 * the PID namespace may be killed at once; a FIFO connects them.
 *
 * Neither has a descriptor of /dev/fuse or of a mount. When the daemon ends in any other way, or is gone when the aborter
 * looks, there is nothing to do, and both end.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Log } from '../fuse/transport.js';
import { aborterScript, bootScript, lifelineScript, runLifelineScript } from './aborter-script.js';

/** Where mount(8), setpriv(1) and a shell are, whatever the user's PATH is. */
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin' };

/** Who ends sooner than this, in milliseconds, did not come up. */
const UP_MS = 1000;
/** So often in a row they are started again all the same: somebody may have killed them. */
const ATTEMPTS = 3;

/** Starts a process that no terminal reaches, and that keeps this one from ending as little as its pipes do. */
function start(
  command: string,
  args: string[],
  stdio: ('pipe' | 'ignore' | Socket | number)[],
): ChildProcess {
  const child = spawn(command, args, { cwd: '/', env, detached: true, stdio });
  // Shows in its end.
  child.on('error', () => {});
  child.unref();
  for (const stream of [child.stdin, child.stdout] as (Socket | null)[]) {
    stream?.on('error', () => {});
    stream?.unref();
  }
  return child;
}

/** What ends when the calling thread does, or when its standard input does. */
function startLifeline(script: string, args: string[], to: 'pipe' | Socket): ChildProcess {
  const shell = ['sh', '-c', script, 'mdevfs-lifeline', String(process.pid), ...args];
  return start('setpriv', ['--pdeathsig', 'KILL', '--', ...shell], ['pipe', to, 'ignore']);
}

/**
 * Starts the lifeline of the server of a run, whose aborter was started outside.
 * @param fifo which it has open as long as this thread lives
 * @returns when that is so, or cannot be: then the aborter looks at this process now and then
 */
export async function holdLifeline(fifo: string): Promise<void> {
  const { stdout } = startLifeline(runLifelineScript, [fifo], 'pipe');
  (stdout as Socket).ref().resume();
  await once(stdout!, 'close');
}

/** Starts an aborter. It ends with its standard input. */
export function startAborter(script: string): ChildProcess {
  const shell = ['-c', bootScript, 'mdevfs-aborter', String(process.pid)];
  const child = start('/bin/sh', shell, ['pipe', 'pipe', 'ignore', 'pipe']);
  (child.stdio[3] as Socket | undefined)?.on('error', () => {}).end(script);
  return child;
}

interface Pair {
  readonly aborter: ChildProcess;
  readonly lifeline: ChildProcess;
  readonly started: number;
}

/** The connections that this process serves. */
class Connections {
  readonly #minors = new Set<number>();
  /** Who waits until the aborter knows a connection. */
  #waiting: (() => void)[] = [];
  #pair: Pair | undefined;
  #failures = 0;
  #log: Log = console.error;

  /**
   * Has a connection aborted when this process is killed and cannot end. Pairs with {@link remove}.
   * @param minor number of the mount's device, which is that of its connection
   * @returns when that is so, or cannot be, which is logged
   */
  add(minor: number, log: Log = console.error): Promise<void> {
    this.#log = log;
    this.#minors.add(minor);
    if (this.#pair) this.#tell('+', minor);
    else if (this.#failures < ATTEMPTS) this.#start();
    return new Promise((resolve) => {
      if (this.#pair) this.#waiting.push(resolve);
      else resolve();
    });
  }

  /** The mount is gone, and its number may soon be another's. */
  remove(minor: number): void {
    if (!this.#minors.delete(minor)) return;
    this.#tell('-', minor);
    if (this.#minors.size > 0) return;
    const { lifeline } = this.#pair ?? {};
    this.#pair = undefined;
    this.#failures = 0;
    lifeline?.stdin?.end();
    this.#release();
  }

  #tell(what: '+' | '-', minor: number): void {
    this.#pair?.lifeline.stdin?.write(`${what} ${minor}\n`);
  }

  #start(): void {
    const aborter = startAborter(aborterScript);
    // Without a process there is no pipe to it either.
    if (aborter.pid === undefined) {
      this.#giveUp();
      return;
    }
    const lifeline = startLifeline(lifelineScript, [], aborter.stdin as Socket);
    aborter.stdin!.destroy();
    const pair = { aborter, lifeline, started: performance.now() };
    this.#pair = pair;
    for (const child of [aborter, lifeline])
      child.once(child.pid === undefined ? 'error' : 'exit', () => this.#ended(pair));
    aborter.stdout!.on('data', (data: Buffer) => {
      for (const resolve of this.#waiting.splice(0, data.length)) resolve();
    });
    for (const minor of this.#minors) this.#tell('+', minor);
  }

  /** Somebody has ended one of them, or it did not come up. */
  #ended(pair: Pair): void {
    if (this.#pair !== pair) return;
    this.#pair = undefined;
    pair.aborter.kill('SIGKILL');
    pair.lifeline.kill('SIGKILL');
    this.#failures = performance.now() - pair.started < UP_MS ? this.#failures + 1 : 0;
    if (this.#failures < ATTEMPTS) this.#start();
    else this.#giveUp();
  }

  #giveUp(): void {
    this.#failures = ATTEMPTS;
    this.#log(
      'mdevfs: setpriv --pdeathsig of util-linux does not work here: when this process is killed, clients may wait until mdevfs umount',
    );
    this.#release();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export const connections = new Connections();
