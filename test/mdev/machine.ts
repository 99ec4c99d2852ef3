/**
 * A machine with the sample drivers, and the few shell words that tests use on it.
 * @module
 */

import type { Uevent } from '../../src/base/uevent.js';
import type { Sleeps } from '../../src/lib/sleep.js';
import { Machine } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';

export const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
export const uuidOf = (n: number) => `83b8f4f2-509f-382f-3c1e-${n.toString(16).padStart(12, '0')}`;

export const typesOf = (driver: string) => `/sys/devices/virtual/${driver}/${driver}/mdev_supported_types`;

export class Shell {
  readonly machine: Machine;
  readonly process: Process;
  readonly events: Uevent[] = [];

  constructor(...modules: string[]) {
    this.machine = new Machine();
    for (const name of modules) this.machine.modprobe(name);
    this.process = this.machine.process();
    this.machine.uevents.subscribe((event) => this.events.push(event));
  }

  /** echo -n TEXT > PATH */
  echo(text: string, path: string): Sleeps<number> {
    const fd = this.process.open(path, 0o1);
    try {
      return this.process.write(fd, Buffer.from(text));
    } finally {
      this.process.close(fd);
    }
  }

  cat(path: string): string {
    const fd = this.process.open(path, 0);
    const text = Buffer.from(this.process.read(fd, 65536)).toString();
    this.process.close(fd);
    return text;
  }

  ls(path: string): string[] {
    const fd = this.process.open(path, 0o200000);
    const names: string[] = [];
    for (;;) {
      const entries = this.process.getdents64(fd, 32768);
      if (entries.length === 0) break;
      names.push(...entries.map((entry) => entry.name).filter((name) => !/^\.\.?$/.test(name)));
    }
    this.process.close(fd);
    return names;
  }

  exists(path: string): boolean {
    try {
      this.process.lstat(path);
      return true;
    } catch {
      return false;
    }
  }

  /** `action@devpath` of the events since the last call. */
  takeEvents(): string[] {
    return this.events.splice(0).map((event) => `${event.action}@${event.devpath}`);
  }
}
