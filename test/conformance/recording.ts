/**
 * What a folder of recordings holds: cases (sequences of system calls), snapshots (trees of nodes) and uevent
 * sequences, as plain JSON, and traces of ioctls as text. Files are found by folder and ending; only the families of
 * snapshots carry meaning in their names.
 * @module
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BytesForm } from './data.js';

/** Arguments of a step: by name, or in order for calls whose arguments are all positional. */
export type StepArgs = Record<string, unknown> | readonly unknown[] | null;

export interface Step {
  op: string;
  args?: StepArgs;
  ret?: unknown;
  errno?: string;
  /** Which of the calls of an `echo` failed: open, write or close. */
  at?: string;
  as_uid?: number;
  /** `setup` marks steps of the recorder that are not the subject of the case. */
  tag?: string;
  /** A limitation of the recorder itself, not of the kernel. */
  exc?: string;
  /** A note's title. */
  text?: string;
  [field: string]: unknown;
}

export interface Case {
  id: string;
  desc: string;
  steps: Step[];
}

export interface SnapshotNode {
  type?: string;
  mode?: string;
  uid?: number;
  gid?: number;
  size?: number;
  nlink?: number;
  blksize?: number;
  blocks?: number;
  rdev?: string;
  target?: string;
  entries?: string[];
  content?: BytesForm | 'skipped';
  open_errno?: string;
  read_errno?: string;
  errno?: string;
  [field: string]: unknown;
}

export interface Snapshot {
  name: string;
  kernel: string;
  nodes: Record<string, SnapshotNode>;
  proc?: Record<string, unknown>;
}

/** The netlink messages of one action: each a header and its variables. */
export interface UeventStep {
  step: string;
  events: string[][];
}

/** `ioctl` are cases on device files, `trace` is what a program did with them. */
export type FileKind = 'snapshot' | 'cases' | 'ioctl' | 'trace' | 'uevents';

export interface RecordingFile {
  kind: FileKind;
  /** Path relative to the recordings' folder. */
  name: string;
  path: string;
  /** Snapshots of kernels other than the default one lie in a folder of the profile's name. */
  profile: 'default' | 'deblike';
}

const folders: readonly [
  folder: string,
  ending: RegExp,
  kind: FileKind,
  profile: RecordingFile['profile'],
][] = [
  ['snapshots', /\.json$/, 'snapshot', 'default'],
  ['deblike', /\.json$/, 'snapshot', 'deblike'],
  ['cases', /\.jsonl$/, 'cases', 'default'],
  ['ioctl', /\.jsonl$/, 'ioctl', 'default'],
  ['tools', /^ioctl-.*\.txt$/, 'trace', 'default'],
  ['uevents', /\.jsonl$/, 'uevents', 'default'],
  ['uevents', /^vgpu.*\.txt$/, 'uevents', 'default'],
];

/** Every recording below `dir`, in the order of folders above and of names. */
export function discover(dir: string): RecordingFile[] {
  return folders.flatMap(([folder, ending, kind, profile]) => {
    const path = join(dir, folder);
    if (!existsSync(path)) return [];
    return readdirSync(path)
      .filter((name) => ending.test(name))
      .sort()
      .map((name) => ({ kind, name: `${folder}/${name}`, path: join(path, name), profile }));
  });
}

export function readLines<T>(path: string): T[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as T);
}

export function readSnapshot(path: string): Snapshot {
  return JSON.parse(readFileSync(path, 'utf8')) as Snapshot;
}
