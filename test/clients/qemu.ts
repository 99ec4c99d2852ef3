/**
 * QEMU as a test starts it: every instruction translated (no KVM), no device that was not asked for, no firmware that boots
 * from anywhere, and an end with the test.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { plain } from '../mount/command.js';
import { scratch } from './client.js';
import { Qmp } from './qmp.js';

export const QEMU = process.env.QEMU ?? 'qemu-system-x86_64';

/** Longer than it takes to end. */
const PATIENCE_MS = 20_000;

export interface QemuOptions {
  /** Command and arguments that run the command that follows them, such as `mdevfs run`. */
  prefix?: readonly string[];
  /** Called when it has ended. */
  ended?: (why: string) => void;
}

export class Qemu {
  #errors = '';
  #end: string | undefined;
  readonly #gone: Promise<void>;

  private constructor(
    readonly child: ChildProcess,
    /** Directory for files of this machine. */
    readonly dir: string,
    readonly qmp: Qmp,
    ended: (why: string) => void,
  ) {
    child.stderr!.on('data', (text: Buffer) => {
      this.#errors += text.toString();
    });
    this.#gone = new Promise((resolve) => {
      child.on('error', (error) => {
        this.#errors += error.message;
      });
      child.on('close', (code, signal) => {
        this.#end = `QEMU ended with ${signal ?? code}: ${this.#errors}`;
        qmp.end(this.#end);
        ended(this.#end);
        resolve();
      });
    });
  }

  /**
   * Starts it, until the end of the test; it is stopped at once, also when the test fails, and ends when this process is
   * killed. The first serial port is written to a file.
   * @param args besides those for QMP, the display, and the first serial port
   * @throws Error with what QEMU wrote when it does not come up
   */
  static async start(t: Test, args: readonly string[], options: QemuOptions = {}): Promise<Qemu> {
    const dir = scratch(t);
    const qmp = await Qmp.listen(join(dir, 'qmp'));
    const words = [
      ...plain,
      // Whatever is in front of QEMU passes the signal on.
      ...['setpriv', '--pdeathsig', 'TERM'],
      ...(options.prefix ?? []),
      ...[QEMU, '-nodefaults', '-no-user-config', '-display', 'none', '-accel', 'tcg'],
      ...['-qmp', `unix:${qmp.path}`, '-serial', `file:${join(dir, 'console')}`],
      ...args,
    ];
    const child = spawn('env', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    const qemu = new Qemu(child, dir, qmp, options.ended ?? (() => {}));
    t.teardown(() => qemu.stop());
    await qmp.execute('query-status');
    return qemu;
  }

  /** What it wrote to standard error. */
  get errors(): string {
    return this.#errors;
  }

  /** What was written to the first serial port. */
  get console(): string {
    const path = join(this.dir, 'console');
    return existsSync(path) ? readFileSync(path, 'latin1') : '';
  }

  /** Stops it. */
  async stop(): Promise<void> {
    if (this.#end === undefined) {
      this.child.kill('SIGTERM');
      const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
      await this.#gone;
      clearTimeout(timer);
    }
    this.qmp.close();
  }

  /** Waits for it to end by itself. */
  async ended(): Promise<string> {
    await this.#gone;
    return this.#end!;
  }
}
