/**
 * A machine from a fixture, and the few shell words that tests use on it.
 * @module
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { profiles } from '../../src/base/profile.js';
import type { Uevent } from '../../src/base/uevent.js';
import { KernelError } from '../../src/lib/errno.js';
import type { Sleeps } from '../../src/lib/sleep.js';
import { checkFixture, type FixtureInput, parseFixture } from '../../src/machine/fixture.js';
import { Machine, type MachineOptions } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';
import type { PciBus } from '../../src/pci/bus.js';

export const uuidOf = (n: number) => `83b8f4f2-509f-382f-3c1e-${n.toString(16).padStart(12, '0')}`;

const root = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** A fixture of the repository. */
export function fixtureFile(path: string) {
  return parseFixture(readFileSync(root(path), 'utf8'), path);
}

export const q35 = () => fixtureFile('test/conformance/hosts/q35-intel.json');

/** A card and nothing else. */
export const card = (
  change: Partial<NonNullable<NonNullable<FixtureInput['pci']>['functions']>[number]> = {},
) => ({
  address: '0000:00:02.0',
  vendor: '1234',
  device: '5678',
  class: '020000',
  ...change,
});

export class Host {
  readonly machine: Machine;
  readonly process: Process;
  readonly pci: PciBus | undefined;
  readonly events: Uevent[] = [];

  constructor(fixture: FixtureInput, options: MachineOptions = {}) {
    const checked = checkFixture(fixture, 'test');
    this.machine = new Machine({
      profile: profiles[checked.kernel],
      images: checked.moduleImages,
      ...options,
    });
    this.machine.addHardware(checked, 'boot');
    this.pci = this.machine.host.pci;
    for (const entry of checked.modules)
      this.machine.modprobe(typeof entry === 'string' ? entry : entry.name);
    this.process = this.machine.process();
    this.machine.uevents.subscribe((event) => this.events.push(event));
  }

  /** echo TEXT > PATH */
  echo(text: string, path: string): Sleeps<number> {
    const fd = this.process.open(path, 0o1);
    try {
      return this.process.write(fd, Buffer.from(`${text}\n`));
    } finally {
      this.process.close(fd);
    }
  }

  /** The errno that writing a line fails with, or undefined. */
  echoErrno(text: string, path: string): string | undefined {
    return errnoOf(() => this.echo(text, path));
  }

  read(path: string, length = 65536, offset = 0): Buffer {
    const fd = this.process.open(path, 0);
    try {
      return Buffer.from(this.process.pread(fd, length, offset));
    } finally {
      this.process.close(fd);
    }
  }

  /** Content without the last newline. */
  cat(path: string): string {
    return this.read(path).toString('latin1').replace(/\n$/, '');
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
    return names.sort();
  }

  exists(path: string): boolean {
    return errnoOf(() => this.process.lstat(path)) === undefined;
  }

  /** `action@devpath` of the events since the last call. */
  takeEvents(): string[] {
    return this.events.splice(0).map((event) => `${event.action}@${event.devpath}`);
  }
}

/** The name of the errno that a call fails with. */
export function errnoOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof KernelError) return error.code;
    throw error;
  }
}
