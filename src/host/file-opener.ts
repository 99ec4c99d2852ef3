/**
 * Opens files of this program's own mounts in a process of their own. Opening one asks this program, and no
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
import type { NativeCalls } from './native.js';
import { PidfdCalls } from './pidfd.js';

/** Of the other process. */
const DIR_FD = 3;
const FILE_FD = 4;

/**
 * Opens what is named by a line and says so, until an empty line comes. Before that it reads the file and closes it:
 * then the page of a backing file is in memory, so that nobody waits for this program while he holds its lock, and the
 * kernel has learned that closing asks nobody.
 */
const readScript = (dir: string): string => `
while read -r name; do
  file="${dir}/$name"
  { read -r text; } <"$file"
  { echo open; read -r taken; } ${FILE_FD}<"$file" || echo absent
done`;

/** Says also when it has closed the file. */
const writeScript = (dir: string): string => `
while read -r name; do
  { echo open; read -r taken; } ${FILE_FD}<>"${dir}/$name" && echo closed || echo absent
done`;

/** Where the files are, and what for they are opened. */
export interface OpenerOptions {
  /** A directory: its path, or a descriptor that stays open until {@link FileOpener.close}. */
  readonly dir: string | number;
  /** Whether to open for writing too. Then nobody else has the file open when it is handed out. */
  readonly write?: boolean;
}

interface Shell {
  child: ChildProcess;
  pidfd: number;
}

export class FileOpener {
  readonly #pidfds: PidfdCalls;
  readonly #options: OpenerOptions;
  #shell: Shell | undefined;
  #closed = false;
  /** One file after another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(calls: NativeCalls, options: OpenerOptions) {
    this.#pidfds = new PidfdCalls(calls);
    this.#options = options;
  }

  /** Number of the process, once it has been needed. */
  get pid(): number | undefined {
    return this.#shell?.child.pid;
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
    if (answer !== 'open\n') throw new Error(`${name} does not open`);
    if (this.#closed) throw new Error('the mount is gone');
    try {
      return this.#pidfds.take(pidfd, FILE_FD);
    } finally {
      child.stdin!.write('\n');
      if (this.#options.write) await answerOf(child);
    }
  }

  #start(): Shell {
    const { dir, write = false } = this.#options;
    const path = typeof dir === 'string' ? dir : `/proc/self/fd/${DIR_FD}`;
    const child = spawn('/bin/sh', ['-c', write ? writeScript(path) : readScript(path)], {
      cwd: '/',
      env: {},
      // In a session of its own: what a terminal tells the daemon is not for it.
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore', ...(typeof dir === 'string' ? [] : [dir])],
    });
    // An end of the process shows in its answer.
    child.on('error', () => {});
    child.stdin!.on('error', () => {});
    // None of it keeps this process alive.
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as Socket).unref();
    if (child.pid === undefined) throw new Error('/bin/sh does not start');
    return { child, pidfd: this.#pidfds.open(child.pid) };
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
