/**
 * Notes of the cases on device files: who waits for whom, what a mapping holds, what shows in links and lists. A
 * removal that waits is begun here, as it was by a process of the recorder's own.
 * @module
 */

import { after, type Sleeps } from '../../../src/lib/sleep.js';
import { errnoOf, nameOfErrno } from '../errno-names.js';
import { O_RDWR, O_WRONLY, parseRequest } from '../flags.js';
import type { Step } from '../recording.js';
import { type Pending, type Run, settle } from '../run.js';
import { Killed, type SysBackground, Unsupported } from '../sys.js';
import { namesIn, readText } from './operation.js';

const DEVICES = '/sys/bus/mdev/devices';
const GROUPS = '/sys/kernel/iommu_groups';
const KVM_DEBUGFS = '/sys/kernel/debug/kvm';
const SIGKILL = 9;
/** Milliseconds in which what can end does end: mostly, and on a busy machine. */
const PATIENCE = 50;
const LONG_PATIENCE = 4000;

const lastName = (path: string): string => path.replace(/.*\//, '');

export const groupOf = (run: Run, uuid: string): string =>
  lastName(run.sys.readlink(`${DEVICES}/${uuid}/iommu_group`));

const typeOf = (run: Run, uuid: string): string => lastName(run.sys.readlink(`${DEVICES}/${uuid}/mdev_type`));

interface Begun {
  result: Sleeps<unknown>;
  writer?: SysBackground;
}

/** What a process of the recorder's does in the background, by the words of the note. */
function begin(run: Run, what: string, text: string): Begun {
  const uuid = run.device ?? '';
  const link = `${DEVICES}/${uuid}`;
  switch (what) {
    case 'uevent':
      return { result: readText(run.sys, `${link}/uevent`) };
    case 'chmod/stat':
      return { result: run.sys.stat(link) };
    case 'unbind':
      if (text.includes('vfio-pci'))
        return write(run, '/sys/bus/pci/drivers/vfio-pci/unbind', '0000:01:00.0');
      return write(run, '/sys/bus/mdev/drivers/mtty/unbind', uuid);
    default:
      return write(run, `${run.sys.realpath(link)}/remove`, '1');
  }
}

function write(run: Run, path: string, text: string): Begun {
  const fd = run.hold(run.sys.open(path, O_WRONLY));
  const bytes = Buffer.from(text);
  if (run.sys.background) {
    const writer = run.sys.background(fd, bytes);
    return { result: writer.result, writer };
  }
  return { result: run.sys.writeLater ? run.sys.writeLater(fd, bytes) : run.sys.write(fd, bytes) };
}

/** Which of the background processes a note is about. */
function subject(text: string): string {
  return /^(?:write |read )?(uevent|chmod\/stat|unbind)/.exec(text)?.[1] ?? 'remove';
}

function pending(run: Run, text: string): Pending {
  const what = subject(text);
  const known = run.pending.get(what);
  if (known) return known;
  let begun: Begun;
  try {
    begun = begin(run, what, text);
  } catch (error) {
    begun = { result: Promise.reject(error) };
  }
  // Its process took a descriptor of the recorder's: the end of a pipe.
  run.recorder.add(what);
  const started = run.start(what, begun.result, begun.writer);
  started.result.then(
    () => run.recorder.remove(what),
    () => run.recorder.remove(what),
  );
  return started;
}

/** What is to end may take its time; what is to wait is given a while to show that it does not. */
async function patience(started: Pending, waits: boolean): Promise<void> {
  const isProcess = started.writer !== undefined;
  const end = Date.now() + (waits ? (isProcess ? PATIENCE : 0) : LONG_PATIENCE);
  do await settle(1);
  while (!started.settled && Date.now() < end);
}

export async function background(run: Run, step: Step): Promise<Record<string, unknown>> {
  const text = step.text ?? '';
  const started = pending(run, text);
  await patience(started, step.blocked === true);
  if (!('result' in step)) return { blocked: !started.settled };
  if (!started.settled) return { blocked: true, result: null };
  return { blocked: false, result: await resultOf(step, started) };
}

/** The signal that ended a writer, 0 for one that ended by itself. */
function signalOf({ result }: Pending): Promise<number> {
  return result.then(
    () => 0,
    (error) => (error instanceof Killed ? error.signal : 0),
  );
}

/** As a note has it: 0, the errno's number, or its name with a word before. */
function resultOf(step: Step, { result }: Pending): Promise<unknown> {
  return result.then(
    () => 0,
    (error) => {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      return typeof step.result === 'string' ? `errno ${nameOfErrno(errno)}` : errno;
    },
  );
}

export const vfioNotes: Readonly<Record<string, (run: Run, step: Step) => Sleeps<Record<string, unknown>>>> =
  {
    'group,type,uuid,vfio_dev': (run, { uuid }) => {
      run.device = String(uuid);
      const [device] = namesIn(run.sys, `${DEVICES}/${run.device}/vfio-dev`);
      return { uuid, type: typeOf(run, run.device), group: groupOf(run, run.device), vfio_dev: device };
    },
    blocked: background,
    'blocked,result': background,
    'blocked,ms,result': background,
    alive: async (run, { text }) => {
      const started = pending(run, text ?? '');
      await patience(started, true);
      return { alive: !started.settled };
    },
    'alive,state': async (run, { text }) => {
      const started = pending(run, text ?? '');
      if (text?.includes('SIGKILL')) started.writer?.kill(SIGKILL);
      await patience(started, true);
      if (started.settled) return { alive: false, state: [] };
      return { alive: true, state: [started.writer?.state() ?? 'State:\tD (disk sleep)\n'] };
    },
    /** The writer that was killed while it waited ends when it need not wait any more. */
    rc: async (run, { text }) => {
      const started = pending(run, text ?? '');
      await patience(started, false);
      if (!started.settled) return { rc: null };
      return { rc: started.writer ? -(await signalOf(started)) : -SIGKILL };
    },
    data: (run) => {
      if (run.mapping === undefined) throw new Unsupported('nothing is mapped');
      return { data: run.call('memory')().read(run.mapping, 4).toString('latin1') };
    },
    first: (run) => {
      if (run.list === undefined) throw new Unsupported('no list was asked for');
      const range = run.call('memory')().read(run.list, 16);
      return { first: [0, 8].map((at) => `0x${range.readBigUInt64LE(at).toString(16)}`) };
    },
    'g,old': (run, { old }) => ({ g: groupOf(run, run.device ?? ''), old }),
    g: (run) => ({ g: groupOf(run, run.device ?? '') }),
    l: (run) => ({ l: namesIn(run.sys, GROUPS).sort() }),
    link: (run) => ({ link: run.call('fdPath')(run.fd('data_fd')) }),
    m: (run) => ({
      m: namesIn(run.sys, `${GROUPS}/5/devices`).map((name) => [
        name,
        lastName(run.sys.readlink(`/sys/bus/pci/devices/${name}/driver`)),
      ]),
    }),
    vms: (run) => ({ vms: namesIn(run.sys, KVM_DEBUGFS).filter((name) => /^\d+-\d+$/.test(name)).length }),
  };

/** rmmod and modprobe of the driver that the case is about, in the form that the note has. */
export function moduleNote(run: Run, { text, r }: Step): Sleeps<Record<string, unknown>> | undefined {
  const isPci = JSON.stringify(run.recording.steps).includes('vfio-pci');
  const module = isPci ? 'vfio_pci' : 'mtty';
  const form = (status: number): Record<string, unknown> => {
    if (Array.isArray(r)) return { r: [status] };
    if (typeof r === 'number') return { r: status };
    return { r: status === 0 ? '' : `rmmod: ERROR: Module ${module} is in use\n` };
  };
  if (text === 'rmmod') return after(run.host.unloadModule(module), form);
  if (text === 'modprobe') return after(run.host.loadModule(module, []), form);
  return text?.startsWith('in the other process') ? { r: otherProcess(run) } : undefined;
}

const TYPE1v2 = 3;

/** A process that got the group's descriptor attaches it to a container of its own, and opens the device. */
function otherProcess(run: Run): unknown[] {
  const group = run.fd();
  const child = run.call('fork')();
  const ioctl = run.call('ioctl');
  return child.run(() => {
    const container = run.sys.open('/dev/vfio/vfio', O_RDWR);
    const number = Buffer.alloc(4);
    number.writeInt32LE(run.sys.fdNumber?.(container) ?? container);
    const results: unknown[] = [
      ioctl(group, parseRequest('VFIO_GROUP_SET_CONTAINER'), number),
      ioctl(container, parseRequest('VFIO_SET_IOMMU'), TYPE1v2),
      ioctl(group, parseRequest('VFIO_GROUP_GET_DEVICE_FD'), Buffer.from(`${run.device}\0`)) >= 0,
    ];
    run.children.push(child);
    return results;
  });
}
