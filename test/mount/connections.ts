/**
 * FUSE connections of the kernel that nobody has mounted: what is left of a mount that went while something of it was
 * in use, or of a server that could not end. The file system fusectl lists all connections by device number.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { scratchDir } from './mounted.js';

export class Connections {
  private constructor(readonly dir: string) {}

  /** Mounts fusectl until the test ends. */
  static mount(t: Test): Connections {
    const dir = scratchDir(t);
    const { status, stderr } = spawnSync('mount', ['-n', '-t', 'fusectl', 'none', dir], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return new Connections(dir);
  }

  /** Numbers of those that no process has in its mount namespace. Others come and go meanwhile. */
  unmounted(): string[] {
    const before = readdirSync(this.dir);
    const mounted = mountedDevices();
    const after = new Set(readdirSync(this.dir));
    return before.filter((number) => !mounted.has(number) && after.has(number));
  }
}

/** The minor of a device number, as makedev(3) puts it together. */
export const minorOf = (device: number): string => String((device & 0xff) | ((device >>> 12) & ~0xff));

/** Minors of devices without hardware that are mounted anywhere. */
function mountedDevices(): Set<string> {
  const minors = new Set<string>();
  const seen = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const text = readFileSync(`/proc/${pid}/mountinfo`, 'latin1');
      if (seen.has(text)) continue;
      seen.add(text);
      for (const [, minor] of text.matchAll(/^\d+ \d+ 0:(\d+) /gm)) minors.add(minor!);
    } catch {
      // It ended.
    }
  }
  return minors;
}
