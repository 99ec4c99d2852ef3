/**
 * Notes: what the recorder looked at or did by other means than one system call. A note is checked where it
 * says something that can be looked at again; the rest is commentary.
 * @module
 */

import { after, type Sleeps } from '../../../src/lib/sleep.js';
import type { Step } from '../recording.js';
import { NothingToCheck, type Run } from '../run.js';
import { type Sys, Unsupported } from '../sys.js';
import { namesIn, type Operation, readText } from './operation.js';
import { raceNote } from './race.js';
import { moduleNote, vfioNotes } from './vfio-notes.js';
import { inotifyNote } from './wait.js';

const DEVICES = '/sys/bus/mdev/devices';

/** Gives the note's own fields, to be compared with the recorded ones. */
type Note = (run: Run, step: Step) => Sleeps<Record<string, unknown>>;

/** By the fields that a note carries beside its text, joined in their order. */
const byFields: Readonly<Record<string, Note>> = {
  events: (run) => {
    const events = run.takeEvents();
    if (events === undefined) throw new Unsupported('uevents cannot be heard here');
    return {
      events: events.map((event) => withoutPid(event.filter((line) => !line.startsWith('SEQNUM=')))),
    };
  },
  'group,uuid,vfio_dev': (run, { uuid }) => {
    run.device = String(uuid);
    return { uuid, group: groupOf(run.sys, run.device), vfio_dev: vfioDevs(run.sys, run.device)[0] };
  },
  ids: (run) => ({
    ids: namesIn(run.sys, DEVICES)
      .sort()
      .map((uuid) => numbersOf(run.sys, uuid)),
  }),
  'groups,vd': (run) => ({
    groups: namesIn(run.sys, '/sys/class/vfio').sort(),
    vd: namesIn(run.sys, '/sys/class/vfio-dev').sort(),
  }),
  'g,vd': (run) => newest(run, ['g', 'vd']),
  'dev,g,vd': (run) => newest(run, ['dev', 'g', 'vd']),
  name: (run) => {
    const [first, ...rest] = namesIn(run.sys, DEVICES);
    run.buffered = rest;
    return { name: first };
  },
  names: (run) => ({ names: run.buffered }),
  ev: (run, { text }) => ({ ev: inotifyNote(run, text ?? '') }),
  r: (run, step) =>
    moduleNote(run, step) ?? after(shell(run, step.text ?? ''), (status) => ({ r: [status] })),
  lines: (run, { text }) => {
    if (!text?.startsWith('kmsg')) throw new NothingToCheck('the mounts of the recorder');
    if (run.recording.steps.some(({ counts }) => counts))
      throw new NothingToCheck('the kernel log of a race');
    const lines = run.host.takeLog();
    if (lines === undefined) throw new Unsupported('there is no kernel log here');
    return { lines: withoutPid(lines) };
  },
  ...vfioNotes,
  'create_results,remove_results,winners_per_round': raceNote,
  errors: raceNote,
  counts: raceNote,
};

const ignored = new Set(['op', 'text', 'args', 'tag', 'as_uid', 'slow_ms', 'desc']);

export const note: Operation = (run, { step }) => {
  const fields = Object.keys(step).filter((key) => !ignored.has(key));
  const check = byFields[[...fields].sort().join(',')];
  if (!check) throw new NothingToCheck(fields.length === 0 ? 'commentary' : `a note of ${fields.join(', ')}`);
  return check(run, step);
};

/** What of a recorded note is compared: of commands only the exit status, of waits not how long they took. */
export function recordedNote(step: Step): unknown {
  const { op, text, args, ms, ...fields } = step;
  void [op, text, args, ms];
  const r = fields.r;
  if (Array.isArray(r) && !text?.includes('process')) return { ...fields, r: [r[0]] };
  if (Array.isArray(fields.lines)) return { ...fields, lines: withoutPid(fields.lines) };
  return Array.isArray(fields.events) ? { ...fields, events: fields.events.map(withoutPid) } : fields;
}

/** Process ids, and the numbers of their files, are other ones in each run. */
const withoutPid = (lines: string[]): string[] =>
  lines.map((line) =>
    line.replace(/^(PID=|STATS_PATH=.*\/|KVM: debugfs: duplicate directory )[-\d]+$/, '$1'),
  );

const deviceOf = (uuid: string): string => `${DEVICES}/${uuid}`;
const groupOf = (sys: Sys, uuid: string): string =>
  sys.readlink(`${deviceOf(uuid)}/iommu_group`).replace(/.*\//, '');
const vfioDevs = (sys: Sys, uuid: string): string[] => namesIn(sys, `${deviceOf(uuid)}/vfio-dev`);

function numbersOf(sys: Sys, uuid: string): string[] {
  const group = groupOf(sys, uuid);
  const [vfioDev] = vfioDevs(sys, uuid);
  const dev = (path: string): string => readText(sys, `${path}/dev`).trim();
  return [
    uuid.slice(-2),
    `group ${group}`,
    `groupdev ${dev(`/sys/class/vfio/${group}`)}`,
    String(vfioDev),
    `vdev ${dev(`/sys/class/vfio-dev/${vfioDev}`)}`,
  ];
}

/** Group and minor numbers of the device that the last create of the case made. */
function newest(run: Run, fields: readonly string[]): Record<string, unknown> {
  const uuid = run.created ?? '';
  const g = run.sys.readlink(`${deviceOf(uuid)}/iommu_group`);
  const all: Record<string, unknown> = {
    g,
    vd: vfioDevs(run.sys, uuid),
    dev: readText(run.sys, `/sys/class/vfio/${g.replace(/.*\//, '')}/dev`),
  };
  return Object.fromEntries(fields.map((field) => [field, all[field]]));
}

function shell(run: Run, text: string): Sleeps<number> {
  const [, command, name, ...parameters] = text.split(' ');
  if (command === 'rmmod' && name) return run.host.unloadModule(name);
  if (command === 'modprobe' && name) return run.host.loadModule(name, parameters);
  throw new NothingToCheck('a command that only looks');
}
