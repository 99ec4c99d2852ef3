/**
 * What the recorder did without writing it down: devices made or removed between two recorded steps.
 *
 * Nearly all of it shows in the recording itself: a device that is used but was never created was created
 * before, and one that is created twice was removed in between. {@link inferred} reads that off the recorded
 * results alone, never off the tree under test, so that it cannot hide a fault. Where nothing in a case shows
 * what was done, it stands in {@link known}.
 * @module
 */

import { decodeBytes, isBytesForm } from './data.js';
import type { Case, Step } from './recording.js';

export type UnrecordedAction =
  /** `type` is the path of the type's directory. */
  | { do: 'create'; uuid: string; type: string }
  | { do: 'remove'; uuid: string }
  /** Opens a path and keeps it open to the end of the case. */
  | { do: 'hold'; path: string; flags: number }
  /** Has the process work in a directory. */
  | { do: 'chdir'; path: string }
  | { do: 'chmod'; path: string; mode: number }
  /** Another descriptor of a file, which the recording knows by its number. */
  | { do: 'dup'; fd: string; name: string }
  | { do: 'close'; fd: string }
  /** A child process that only holds the files there are; and its end. */
  | { do: 'fork' }
  | { do: 'exit' }
  /** Maps a page of a file, with text in it; and takes the mapping away. */
  | { do: 'map'; fd: string; offset: number; text: string }
  | { do: 'unmap' }
  /** Writes ranges where the last list was asked for. */
  | { do: 'list'; ranges: readonly (readonly [start: bigint, last: bigint])[] };

const virtual = '/sys/devices/virtual';
export const sampleTypes: Readonly<Record<string, string>> = {
  mtty: `${virtual}/mtty/mtty/mdev_supported_types/mtty-1`,
  mdpy: `${virtual}/mdpy/mdpy/mdev_supported_types/mdpy-vga`,
  mbochs: `${virtual}/mbochs/mbochs/mdev_supported_types/mbochs-small`,
};

const mtty1 = sampleTypes.mtty!;
const mtty2 = mtty1.replace('mtty-1', 'mtty-2');
const uuid = (n: number): string => `83b8f4f2-509f-382f-3c1e-e6bfe0fa1${n.toString(16).padStart(3, '0')}`;
const creates = (type: string, ...numbers: number[]): UnrecordedAction[] =>
  numbers.map((n) => ({ do: 'create', uuid: uuid(n), type }));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** By case and step: what happened just before that step, in cases whose steps do not show it. */
const known: Readonly<Record<string, Readonly<Record<number, UnrecordedAction[]>>>> = {
  'remove.readdir_during': { 0: creates(mtty1, ...upTo(5)), 7: creates(mtty1, 9) },
  'fs.nlink': { 12: creates(mtty1, 0, 1) },
  'readdir.order': { 0: [...creates(mtty1, 5, 1, 9, 0, 3, 7), ...creates(mtty2, 20)] },
  'uev.failed_creates': {
    0: [...creates(mtty2, ...upTo(12)), ...creates(sampleTypes.mdpy!, 20, 21, 22, 23)],
  },
  'group.fork_dup': {
    3: [{ do: 'dup', fd: 'fd1', name: 'dup' }, { do: 'fork' }],
    4: [{ do: 'close', fd: 'dup' }],
    5: [{ do: 'exit' }],
  },
  'group.other_process': { 8: [{ do: 'exit' }] },
  'life.remove_two_fds': {
    8: [{ do: 'dup', fd: 'fd3', name: 'dup' }, { do: 'fork' }],
    13: [{ do: 'close', fd: 'dup' }],
    14: [{ do: 'exit' }],
  },
  'life.rmmod_with_sysfs_fds': { 2: [{ do: 'chdir', path: mtty1 }] },
  'life.remove_with_mmap': {
    7: [{ do: 'map', fd: 'fd3', offset: 4096, text: 'abcd' }],
    11: [{ do: 'unmap' }],
  },
  'iommufd.ioctls': { 53: [{ do: 'list', ranges: [[0x30000n, 0x3fffffffn]] }] },
  'iommu.rlimit_memlock': { 2: [{ do: 'chmod', path: '/dev/vfio/7', mode: 0o666 }] },
  'kvm.group': { 11: [{ do: 'dup', fd: 'fd4', name: 'unnamed 9' }], 14: [{ do: 'close', fd: 'unnamed 9' }] },
  'ids.allocation': { 13: [{ do: 'hold', path: '/dev/vfio/9', flags: 2 }] },
};

const UUID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;

export function unrecorded(recording: Case): ReadonlyMap<number, UnrecordedAction[]> {
  const table = known[recording.id];
  if (table) return new Map(Object.entries(table).map(([step, actions]) => [Number(step), actions]));
  return inferred(recording);
}

export function inferred(recording: Case): Map<number, UnrecordedAction[]> {
  const actions = new Map<number, UnrecordedAction[]>();
  const present = new Set<string>();
  const paths = new Map<unknown, string>();
  for (const [index, step] of recording.steps.entries()) {
    if (step.op === 'open') paths.set(step.ret, pathOf(step));
    const write = writeOf(step, paths);
    const created = createdBy(step, write);
    const before: UnrecordedAction[] = [];
    if (created && present.has(created)) before.push({ do: 'remove', uuid: created });
    for (const device of shownBy(step, write)) {
      if (present.has(device)) continue;
      before.push({ do: 'create', uuid: device, type: typeIn(recording, device) });
      present.add(device);
    }
    if (before.length > 0) actions.set(index, before);
    if (created) present.add(created);
    for (const device of goneBy(step, write, present)) present.delete(device);
    if (!step.op.endsWith('->create')) continue;
    // What such a step created shows only in the state that is asked for next.
    for (const device of mdevsOf(recording.steps[index + 1])) present.add(device);
  }
  return actions;
}

/** What a step writes, and to which file. */
interface Write {
  path: string;
  text: string;
}

const argsOf = (step: Step): Record<string, unknown> => (step.args ?? {}) as Record<string, unknown>;

const pathOf = (step: Step): string => {
  const path = Array.isArray(step.args) ? step.args[0] : argsOf(step).path;
  return typeof path === 'string' ? path : '';
};

const mdevsOf = (step: Step | undefined): string[] =>
  step?.op === 'state' ? ((step.ret as { mdevs?: string[] }).mdevs ?? []) : [];

function writeOf(step: Step, paths: ReadonlyMap<unknown, string>): Write | undefined {
  if (!/^(echo|p?write|writev)$/.test(step.op)) return undefined;
  const { data, bufs, fd } = argsOf(step);
  const pieces = (Array.isArray(bufs) ? bufs : [data]).filter(isBytesForm).map(decodeBytes);
  const text = Buffer.concat(pieces).toString('latin1').toLowerCase();
  return { path: step.op === 'echo' ? pathOf(step) : (paths.get(fd) ?? ''), text };
}

function createdBy(step: Step, write: Write | undefined): string | undefined {
  if (step.errno !== undefined || !write?.path.endsWith('/create')) return undefined;
  return write.text.slice(0, 36).match(UUID)?.[0];
}

/** Devices without which the step could not have had its result. */
function shownBy(step: Step, write: Write | undefined): string[] {
  if (step.op === 'state') return mdevsOf(step);
  const path = pathOf(step);
  if (write?.path.endsWith('/create')) return step.errno === 'EEXIST' ? (write.text.match(UUID) ?? []) : [];
  // What could be opened was there, whatever became of the write.
  const opened = step.op === 'echo' && step.at === 'write' && step.errno !== 'ENODEV';
  if (!opened && (step.ret === undefined || step.ret === '' || step.ret === false)) return [];
  const shown = path.match(UUID) ?? [];
  const listed = step.op === 'readdir' ? (JSON.stringify(step.ret).match(UUID) ?? []) : [];
  const bound = write && !opened && /\/(un)?bind$/.test(path) ? (write.text.match(UUID) ?? []) : [];
  return [...new Set([...shown, ...listed, ...bound])];
}

function goneBy(step: Step, write: Write | undefined, present: ReadonlySet<string>): string[] {
  if (step.op === 'state') return [...present].filter((device) => !mdevsOf(step).includes(device));
  if (step.op === 'note' && /^sh (rmmod|modprobe)/.test(step.text ?? '')) return [...present];
  if (step.errno === 'ENOENT' && /^l?stat$/.test(step.op)) {
    const [device] = /[^/]*$/.exec(pathOf(step)) ?? [];
    return device ? [device] : [];
  }
  if (!write?.path.endsWith('/remove') || step.errno !== undefined || !removes(write.text)) return [];
  return write.path.match(UUID) ?? [];
}

/** Whether a write to `remove` asks for the removal: any number but zero. */
function removes(text: string): boolean {
  return /[1-9a-f]/i.test(text.replace(/^\+?0x/i, ''));
}

/** The type a device is of, as far as any step of the case tells. */
function typeIn(recording: Case, device: string): string {
  const all = JSON.stringify(recording.steps);
  const typed = all.match(
    new RegExp(`(/sys/devices/virtual/[^"]*/mdev_supported_types/[^/"]+)/devices/${device}`),
  );
  if (typed) return typed[1]!;
  const parent = all.match(new RegExp(`/devices/virtual/(\\w+)/\\w+/${device}`))?.[1] ?? 'mtty';
  return sampleTypes[parent] ?? mtty1;
}
