/**
 * What is mounted where (proc_pid_mountinfo(5)). Reading this touches no file system, so it is safe for mounts
 * whose daemon is dead, stuck, or this very process.
 * @module
 */

import { readFileSync } from 'node:fs';

export interface MountEntry {
  /** The kernel's number of the mount, and of the one that it is in. Numbers are used again when a mount is gone. */
  id: number;
  parent: number;
  /** Numbers of its file system, `MAJOR:MINOR`. */
  device: string;
  dir: string;
  /** For example `ext4`, `fuse.mdevfs`. */
  type: string;
  source: string;
  /** Minor number of its device; of a FUSE mount, the number of its connection. */
  minor: number;
}

const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

export function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ');
    if (!before || !after) continue;
    const [type, source] = after.split(' ');
    const [id, parent, device, , dir] = before.split(' ');
    entries.push({
      id: Number(id),
      parent: Number(parent),
      device: device!,
      dir: unescaped(dir!),
      type: type!,
      source: unescaped(source ?? ''),
      minor: Number(device!.split(':')[1]),
    });
  }
  return entries;
}

export function mounts(): MountEntry[] {
  // Names in mountinfo are bytes; latin1 and back keeps those that are no UTF-8.
  const text = readFileSync('/proc/self/mountinfo', 'latin1');
  return parseMountinfo(text).map((entry) => ({
    ...entry,
    dir: Buffer.from(entry.dir, 'latin1').toString(),
  }));
}

/** The mount that is seen at a directory, if it is a mount point. */
export function mountAt(dir: string): MountEntry | undefined {
  return mounts().findLast((entry) => entry.dir === dir);
}

/** The same mount as it is now; undefined when it is gone. The folders above it may have other names by now. */
export function mountAgain({ id, device }: MountEntry): MountEntry | undefined {
  return mounts().find((entry) => entry.id === id && entry.device === device);
}
