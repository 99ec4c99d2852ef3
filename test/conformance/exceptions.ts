/**
 * The one list of recorded results that are knowingly not met, each by a rule and with its reason. A rule
 * says which steps or nodes it is about, never which cases; it excuses a difference, it does not skip the
 * step, so a step that comes right is counted as right. Over each transport its own rules hold.
 * @module
 */

import type { Outcome } from './compare.js';
import { runExceptions } from './exceptions-run.js';
import { type Transport, transports } from './host.js';
import type { SnapshotNode, Step } from './recording.js';

export interface StepException {
  reason: string;
  over: readonly Transport[];
  matches(step: Step, got: Outcome, context: StepContext): boolean;
}

export interface StepContext {
  /** Whether a device file could not be opened earlier in the case. */
  withoutDev: boolean;
  /** Whether a PCI function was to be taken from its driver or given to one that is not there. */
  withoutDriver: boolean;
  /** Whether the case has memory of a device mapped. */
  mapped: boolean;
  /** Whether a node of a VFIO device is open that was not bound, and whether the step is about it. */
  unbound: 'this file' | 'another file' | undefined;
}

const process: readonly Transport[] = ['process'];
const notMounted: readonly Transport[] = ['process', 'run'];
const mount: readonly Transport[] = ['mount', 'direct', 'fuse-native'];

/** Whether a step is about a device file. */
export const namesDev = ({ args }: Step): boolean => /"\/dev\//.test(JSON.stringify(args ?? null));

/** Whether a step is about the driver of a PCI function. */
export const namesPciDriver = ({ args }: Step): boolean =>
  /\/sys\/bus\/pci\/devices\/[^/]*\/driver\//.test(JSON.stringify(args ?? null));

/** Operations whose answer comes from the VFS before a file system is asked. */
const aboveSysfs = new Set([
  'flock',
  'fcntl F_SETLK WR',
  'F_SETLEASE',
  'F_NOTIFY',
  'F_NOTIFY 0',
  'F_GETPIPE_SZ',
  'F_SETFL O_DIRECT',
  'fallocate',
  'posix_fadvise',
  'syncfs',
  'mmap',
  'ioctl',
  'copy_file_range out',
  'copy_file_range file->create',
  'splice attr->pipe',
  'splice pipe->create',
  'splice pipe(2 bufs)->create',
  'sendfile attr->pipe',
  'sendfile attr->socket',
  'sendfile file->create',
  'name_to_handle_at',
  'statx',
  'statfs',
  'pathconf',
  'fdinfo',
  'readlink fd',
  'dup read',
]);

/** Whether a step could not be made because its file was never opened. */
const isWithoutFile = (unsupported: string | undefined): boolean =>
  unsupported?.endsWith('nothing opened it') === true;

const machineExceptions: readonly StepException[] = [
  {
    reason:
      'the machine has no e1000e and no vfio-pci, and nothing follows from a PCI function that has no driver',
    over: notMounted,
    matches: (step, _got, { withoutDriver }) => withoutDriver || namesPciDriver(step),
  },
  {
    reason: 'the machine has no hand-made device nodes, and nothing follows from files that were not opened',
    over: process,
    matches: (step, { errno, unsupported }, { withoutDev }) =>
      namesDev(step)
        ? step.op === 'open' &&
          errno === 'ENOENT' &&
          !/"\/dev\/(vfio|iommu|kvm)/.test(JSON.stringify(step.args))
        : withoutDev && isWithoutFile(unsupported),
  },
  {
    reason: 'an emulated process has no working directory',
    over: process,
    matches: ({ op, args }) => op === 'getcwd' || (args as { path?: unknown } | null)?.path === '.',
  },
  {
    reason: 'who is interrupted in the wait for a device is not logged, and in process no signals are sent',
    over: notMounted,
    matches: ({ op, lines }) =>
      op === 'note' && JSON.stringify(lines ?? []).includes('blocked until device is released'),
  },
  {
    reason: 'pipes, sockets and other file systems are not emulated in process',
    over: process,
    matches: ({ op }, { unsupported }) =>
      unsupported !== undefined && !isWithoutFile(unsupported) && aboveSysfs.has(op),
  },
  {
    reason: 'inotify is not emulated in process',
    over: process,
    matches: ({ ev }, { unsupported }) => ev !== undefined && unsupported !== undefined,
  },
  {
    reason: 'a mounted sysfs has no /dev, and nothing follows from device files that could not be opened',
    over: mount,
    matches: (step, { unsupported }, { withoutDev }) =>
      (namesDev(step) && unsupported !== undefined) || (withoutDev && step.op !== 'state'),
  },
  {
    reason: 'uevents and the kernel log do not show in a mounted tree',
    over: mount,
    matches: ({ op }, { unsupported }) => op === 'note' && unsupported !== undefined,
  },
];

/** Results that the kernel's FUSE gives by itself, without asking the daemon, or instead of its answer. */
function fuseAnswers(reason: string, matches: (step: Step, got: Outcome) => boolean): StepException {
  return { reason, over: mount, matches };
}

const argument = ({ args }: Step, name: string): unknown => (args as Record<string, unknown> | null)?.[name];

const fuseExceptions: readonly StepException[] = [
  fuseAnswers(
    'FUSE makes file handles out of its own numbers',
    ({ op }, got) => op === 'name_to_handle_at' && got.errno === undefined,
  ),
  fuseAnswers('statfs names the file system: FUSE', ({ op }) => op === 'statfs'),
  fuseAnswers(
    'FUSE lets a file that bypasses the page cache be mapped privately, and one that never changes in any way',
    (step, got) => step.op === 'mmap' && argument(step, 'prot') === 'R' && got.errno === undefined,
  ),
  fuseAnswers(
    'FIBMAP on FUSE without a block device is 0',
    (step, got) => step.op === 'ioctl' && argument(step, 'req') === 'FIBMAP' && got.ret === 0,
  ),
  fuseAnswers(
    'FUSE reads inode flags through an open file of its own, which a write-only file does not allow',
    (step, got) =>
      step.op === 'ioctl' && argument(step, 'req') === 'FS_IOC_GETFLAGS' && got.errno === 'EACCES',
  ),
  fuseAnswers(
    'FUSE lets O_DIRECT be set on an open file',
    ({ op, errno }, got) => op === 'F_SETFL O_DIRECT' && errno === 'EINVAL' && got.errno === undefined,
  ),
  fuseAnswers(
    'FUSE moves the position of an open file by itself: past the limits of sysfs, and of a removed file',
    ({ op, errno }, got) =>
      op === 'lseek' && (errno === 'EINVAL' || errno === 'ENODEV') && got.errno === undefined,
  ),
  fuseAnswers(
    'FUSE does not pass on a write of no bytes',
    ({ op, errno }, got) => (op === 'write' || op === 'pwrite') && errno === 'ENODEV' && got.ret === 0,
  ),
  fuseAnswers(
    'pwrite on a file opened for reading: sysfs says that it has no positions, FUSE that it is not writable',
    ({ op, errno }, got) => op === 'pwrite' && errno === 'ESPIPE' && got.errno === 'EBADF',
  ),
];

const cachingExceptions: readonly StepException[] = [
  {
    reason: 'reads of what never changes do not come to the daemon, and a poll takes them as done',
    over: ['mount'],
    matches: ({ op }, got) =>
      op.startsWith('poll') && op !== 'poll after change' && JSON.stringify(got.ret) === '[325]',
  },
  {
    reason: 'no file has a label until it is given one, so that ls does not ask each of them',
    over: ['mount', 'direct'],
    matches: ({ op, args }, got) =>
      op === 'getxattr' && JSON.stringify(args).includes('security.selinux') && got.errno === 'EOPNOTSUPP',
  },
];

/** libfuse 2, which fuse-native binds, stands between the kernel and the tree and knows less of it. */
const libfuse: readonly Transport[] = ['fuse-native'];
const libfuseExceptions: readonly StepException[] = [
  {
    reason: 'libfuse asks for the attributes of an open file by its path, which is gone',
    over: libfuse,
    matches: ({ op }, got) => (op === 'fstat' || op === 'fdreaddir') && got.errno === 'ENOENT',
  },
  {
    reason: 'libfuse has no poll for its bindings: a file is always ready and never news',
    over: libfuse,
    matches: ({ op }) => op.startsWith('poll') || op === 'epoll' || op === 'select',
  },
  {
    reason: 'libfuse reads a directory once, when it is opened, and counts its own positions',
    over: libfuse,
    matches: ({ op }) => op.startsWith('getdents64'),
  },
];

export const stepExceptions: readonly StepException[] = [
  ...machineExceptions,
  ...fuseExceptions,
  ...cachingExceptions,
  ...libfuseExceptions,
  ...runExceptions,
];

/** The rule that excuses a step's difference, if there is one. */
export function stepException(
  over: Transport,
  step: Step,
  got: Outcome,
  context: StepContext,
): StepException | undefined {
  return stepExceptions.find((rule) => rule.over.includes(over) && rule.matches(step, got, context));
}

export interface NodeExclusion {
  reason: string;
  over: readonly Transport[];
  /** The whole node, what a file holds, or the order of a directory; the rest is compared. */
  leavesOut: 'node' | 'content' | 'order';
  matches(path: string, node: SnapshotNode): boolean;
}

const everywhere: readonly Transport[] = transports;

/** Inode numbers and times are left out everywhere: they count boots and seconds. */
export const nodeExclusions: readonly NodeExclusion[] = [
  {
    reason: 'tables of the IOMMU hardware, other ones at each boot',
    over: everywhere,
    leavesOut: 'node',
    matches: (path) => path.startsWith('/sys/kernel/debug/iommu'),
  },
  {
    reason: 'a mounted sysfs has no /dev',
    over: mount,
    leavesOut: 'node',
    matches: (path) => path === '/dev' || path.startsWith('/dev/'),
  },
  {
    reason: 'addresses that a module was loaded at',
    over: everywhere,
    leavesOut: 'content',
    matches: (path) => /^\/sys\/module\/[^/]+\/sections\//.test(path),
  },
  {
    reason: 'clocks and counters of running hardware',
    over: everywhere,
    leavesOut: 'content',
    matches: (path) =>
      /\/(power\/runtime_(active|suspended)_time|block\/[^/]+\/stat)$/.test(path) && isPci(path),
  },
  {
    reason: 'names in a network namespace are in the order of its address in memory',
    over: everywhere,
    leavesOut: 'order',
    matches: (path) => path === '/sys/class/net',
  },
  {
    reason: 'the recorder did not read them',
    over: everywhere,
    leavesOut: 'content',
    matches: (_path, node) => node.content === 'skipped',
  },
];

/** Virtual devices never run, so that their clocks stand at 0 and are compared. */
const isPci = (path: string): boolean => path.startsWith('/sys/devices/pci');

export function nodeExclusion(over: Transport, path: string, node: SnapshotNode): NodeExclusion | undefined {
  return nodeExclusions.find((rule) => rule.over.includes(over) && rule.matches(path, node));
}
