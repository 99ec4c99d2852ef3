/**
 * Opens files of the backing mount (backing-mount.ts) in a process of their own. Opening one asks this program, and no
 * thread of it may wait for that: one that waits when the program is killed never ends, since the answer never comes,
 * and the connection to the kernel, whose end would wake it up, stays open, since threads share their descriptors. The
 * other process has no descriptor of /dev/fuse. When this program dies, its connections end, whatever the other
 * waits for fails, and it ends too, because its standard input does.
 *
 * It is a shell: small, always there, and an open file is all that is wanted of it. The descriptor is taken out of it
 * with pidfd_getfd(2).
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { closeSync } from 'node:fs';
import type { NativeCalls, NativeFunction } from './native.js';

// The same on every architecture: asm-generic/unistd.h.
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;

/** Of the other process. */
const MOUNT_FD = 3;
const FILE_FD = 4;

/**
 * Opens what is named by a line and says so, until an empty line comes. Before that it reads the file and closes it:
 * then the page is in memory, so that nobody waits for this program while he holds its lock, and the kernel has learned
 * that closing asks nobody.
 */
const SCRIPT = `
while read -r name; do
  file=/proc/self/fd/${MOUNT_FD}/$name
  { read -r text; } <"$file"
  { echo open; read -r taken; } ${FILE_FD}<"$file" || echo absent
done`;

interface Shell {
  child: ChildProcess;
  pidfd: number;
}

export class BackingOpener {
  readonly #calls: NativeCalls;
  readonly #mount: number;
  readonly #pidfdOpen: NativeFunction;
  readonly #pidfdGetfd: NativeFunction;
  #shell: Shell | undefined;
  #closed = false;
  /** One file after another. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param mount descriptor of the directory that the files are in; has to stay open until {@link close} */
  constructor(calls: NativeCalls, mount: number) {
    this.#calls = calls;
    this.#mount = mount;
    this.#pidfdOpen = calls.bind('long syscall(long number, int pid, unsigned int flags)');
    this.#pidfdGetfd = calls.bind('long syscall(long number, int pidfd, int fd, unsigned int flags)');
  }

  /**
   * @param name a file of the directory, without white space
   * @returns a descriptor, the caller's to close
   * @throws Error of one line when there is no such file, or no process to open it
   */
  open(name: string): Promise<number> {
    const opened = this.#last.then(() => this.#open(name));
    this.#last = opened.catch(() => {});
    return opened;
  }

  /** Ends the process. Whatever is being opened fails. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#shell) return;
    const { child, pidfd } = this.#shell;
    closeSync(pidfd);
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const ended = once(child, 'exit');
    child.stdin!.end();
    await ended;
  }

  async #open(name: string): Promise<number> {
    if (this.#closed) throw new Error('the mount is gone');
    this.#shell ??= this.#start();
    const { child, pidfd } = this.#shell;
    child.stdin!.write(`${name}\n`);
    const answer = await answerOf(child);
    if (answer !== 'open\n') throw new Error(`a backing file does not open`);
    if (this.#closed) throw new Error('the mount is gone');
    try {
      const file = Number(this.#pidfdGetfd(SYS_PIDFD_GETFD, pidfd, FILE_FD, 0));
      return this.#calls.checked('pidfd_getfd', file);
    } finally {
      child.stdin!.write('\n');
    }
  }

  #start(): Shell {
    const child = spawn('/bin/sh', ['-c', SCRIPT], {
      cwd: '/',
      env: {},
      // In a session of its own: what a terminal tells the daemon is not for it.
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore', this.#mount],
    });
    // An end of the process shows in its answer.
    child.on('error', () => {});
    child.stdin!.on('error', () => {});
    // None of it keeps this process alive.
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as Socket).unref();
    if (child.pid === undefined) throw new Error('/bin/sh does not start');
    const pidfd = Number(this.#pidfdOpen(SYS_PIDFD_OPEN, child.pid, 0));
    return { child, pidfd: this.#calls.checked('pidfd_open', pidfd) };
  }
}

/** The next thing the process says; nothing when it has ended. */
function answerOf({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    if (stdout!.readableEnded || stdout!.destroyed) return resolve('');
    const done = (text: string): void => {
      stdout!.off('data', take);
      stdout!.off('close', end);
      resolve(text);
    };
    const take = (data: Buffer): void => done(data.toString('latin1'));
    const end = (): void => done('');
    stdout!.on('data', take);
    stdout!.on('close', end);
  });
}
