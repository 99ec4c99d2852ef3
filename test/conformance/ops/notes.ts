/**
 * Notes: what the recorder looked at or did by other means than one system call. A note is checked where it
 * says something that can be looked at again; the rest is commentary.
 * @module
 */

import { after, type Sleeps } from '../../../src/lib/sleep.js';
import { errnoOf, nameOfErrno } from '../errno-names.js';
import { O_WRONLY } from '../flags.js';
import type { Step } from '../recording.js';
import { NothingToCheck, type Run, settle } from '../run.js';
import { type Sys, Unsupported } from '../sys.js';
import { namesIn, type Operation, readText } from './operation.js';
import { raceNote } from './race.js';
import { inotifyNote } from './wait.js';

const DEVICES = '/sys/bus/mdev/devices';

/** Gives the note's own fields, to be compared with the recorded ones. */
type Note = (run: Run, step: Step) => Sleeps<Record<string, unknown>>;

/** By the fields that a note carries beside its text, joined in their order. */
const byFields: Readonly<Record<string, Note>> = {
  events: (run) => {
    const events = run.takeEvents();
    if (events === undefined) throw new Unsupported('uevents cannot be heard here');
    return { events: events.map((event) => event.filter((line) => !line.startsWith('SEQNUM='))) };
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
  r: (run, { text }) => after(shell(run, text ?? ''), (status) => ({ r: [status] })),
  lines: (run, { text }) => {
    if (!text?.startsWith('kmsg')) throw new NothingToCheck('the mounts of the recorder');
    if (run.recording.steps.some(({ counts }) => counts))
      throw new NothingToCheck('the kernel log of a race');
    const lines = run.host.takeLog();
    if (lines === undefined) throw new Unsupported('there is no kernel log here');
    return { lines };
  },
  'blocked,result': blocking,
  'blocked,ms,result': blocking,
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
  return Array.isArray(r) ? { ...fields, r: [r[0]] } : fields;
}

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

/** "remove", "unbind": a write that blocks; "... finally": what came of it. */
async function blocking(run: Run, step: Step): Promise<Record<string, unknown>> {
  const text = step.text ?? '';
  const name = text.split(' ')[0]!;
  const device = run.device ?? '';
  const pending = text.endsWith('finally')
    ? run.pending.get(name)
    : run.start(name, write(run, name, device));
  if (!pending) throw new Unsupported(`no ${name} was begun`);
  await settle(text.endsWith('finally') ? 50 : 0);
  if (!pending.settled) return { blocked: true, result: null };
  return {
    blocked: false,
    result: await pending.result.then(
      () => 0,
      (error) => nameOfErrno(errnoOf(error) ?? 0),
    ),
  };
}

/** The driver's file goes by the real path of the device: the bus link may be gone already. */
function write(run: Run, name: string, uuid: string): Sleeps<unknown> {
  const [path, data] =
    name === 'unbind'
      ? [`/sys/bus/mdev/drivers/mtty/unbind`, uuid]
      : [`/sys/devices/virtual/mtty/mtty/${uuid}/remove`, '1'];
  const fd = run.hold(run.sys.open(path, O_WRONLY));
  const bytes = Buffer.from(data);
  return run.sys.writeLater ? run.sys.writeLater(fd, bytes) : run.sys.write(fd, bytes);
}
