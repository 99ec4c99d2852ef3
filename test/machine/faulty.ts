/**
 * A machine with mtty, and the shell words that tests of faults use on it.
 * @module
 */

import type { Sleeps } from '../../src/lib/sleep.js';
import { Machine, type MachineOptions } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';
import { errnoOf } from '../pci/host.js';

export const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
export const TYPE = '/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1';
export const FAIL = '/sys/kernel/debug/mdevfs/fail';

export class Faulty {
  readonly machine: Machine;
  readonly process: Process;

  constructor(modules: readonly string[], options: MachineOptions = {}) {
    this.machine = new Machine(options);
    this.process = this.machine.process();
    for (const name of modules) this.machine.modprobe(name);
  }

  /** One write(2) to a path. */
  write(path: string, text: string): Sleeps<number> {
    const fd = this.process.open(path, 1);
    try {
      return this.process.write(fd, Buffer.from(text));
    } finally {
      this.process.close(fd);
    }
  }

  /** The errno that one fails with, or undefined. */
  writeErrno(path: string, text: string): string | undefined {
    return errnoOf(() => this.write(path, text));
  }

  /** Reads a path to its end, by reads of any size. */
  read(path: string): string {
    const fd = this.process.open(path, 0);
    try {
      let text = '';
      for (;;) {
        const piece = Buffer.from(this.process.read(fd, 4096));
        if (piece.length === 0) return text;
        text += piece.toString();
      }
    } finally {
      this.process.close(fd);
    }
  }

  readErrno(path: string): string | undefined {
    return errnoOf(() => this.read(path));
  }

  /** Writes a rule. */
  fail(rule: string): void {
    this.write(FAIL, `${rule}\n`);
  }

  get log(): string {
    return this.machine.core.log.lines.at(-1) ?? '';
  }
}
