/**
 * What is not met by device files under `mdevfs run`, where FUSE, the machine's own KVM and stand-ins for nodes answer
 * instead of a VFIO driver's file operations. A part of the list in exceptions.ts.
 * @module
 */

import { type Outcome, sameValue } from './compare.js';
import type { StepContext, StepException } from './exceptions.js';
import type { Step } from './recording.js';

const O_LARGEFILE = 0o100000;
/** Where the daemon's mount has open files. */
const MOUNT = '/run/mdevfs/dev/';
const NULL_DEVICE = '1:3';

function underRun(
  reason: string,
  matches: (step: Step, got: Outcome, context: StepContext) => boolean,
): StepException {
  return { reason, over: ['run'], matches };
}

const argument = ({ args }: Step, name: string): unknown => (args as Record<string, unknown> | null)?.[name];

const fields = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** Whether two results of stat(2) agree in all but what kind of file it is. */
function sameButKind(recorded: unknown, got: unknown): boolean {
  const { type, rdev, size, ...rest } = fields(recorded);
  const { type: gotType, rdev: gotRdev, size: gotSize, ...gotRest } = fields(got);
  void [rdev, size, gotRdev, gotSize];
  return (type === 'chr' || type === 'anon') && typeof gotType === 'string' && sameValue(rest, gotRest);
}

/** Flags as F_GETFL or fdinfo show them, without that of large files. */
const small = (flags: string): string =>
  flags.replace(/(0o?|flags:\t0)([0-7]+)$/, (_, before: string, digits: string) => {
    return `${before}${(Number.parseInt(digits, 8) & ~O_LARGEFILE).toString(8)}`;
  });

const withoutLarge = (value: unknown): unknown =>
  Array.isArray(value) ? value.map((item) => (typeof item === 'string' ? small(item) : item)) : value;

/** What /dev/null answers where a VFIO device that is not bound says EINVAL. */
function answersAsNull({ op, ret, errno, args }: Step, got: Outcome): boolean {
  if (op === 'ioctl') return got.errno === 'ENOTTY';
  if (errno !== 'EINVAL' || ret !== undefined) return false;
  if (op === 'mmap') return got.errno === 'ENODEV';
  if (op === 'pread') return got.ret instanceof Uint8Array && got.ret.length === 0;
  return op === 'pwrite' && typeof got.ret === 'number' && args !== null;
}

export const runExceptions: readonly StepException[] = [
  underRun(
    'a file of FUSE is a regular one, one of a VFIO device is a stand-in, and /dev/iommu is a link to one',
    (step, got) =>
      (step.op === 'lstat' || step.op === 'fstat') &&
      (sameButKind(step.ret, got.ret) || argument(step, 'path') === '/dev/iommu'),
  ),
  underRun(
    'the number in sysfs is that of the stand-in',
    ({ op, args }, got) =>
      op === 'cat' &&
      /\/vfio-dev\/vfio\d+\/dev"/.test(JSON.stringify(args)) &&
      Buffer.from((got.ret as Uint8Array) ?? '').toString() === `${NULL_DEVICE}\n`,
  ),
  underRun(
    'an open device goes by the name that the daemon has for it',
    ({ ret, link }, got) =>
      /^(anon_inode:|\/dev\/)/.test(String(link ?? ret)) &&
      String(link === undefined ? got.ret : fields(got.ret).link).startsWith(MOUNT),
  ),
  underRun(
    'what open(2) opens may be large; a descriptor that a request returns is opened by nobody',
    ({ op, ret }, got) => /^(getfl|fdinfo)/.test(op) && sameValue(ret, withoutLarge(got.ret)),
  ),
  underRun(
    'FUSE moves the position of a device file; without one it would not read at positions',
    ({ op, errno }, got) => op === 'lseek' && errno === 'ESPIPE' && got.errno === undefined,
  ),
  underRun(
    'FUSE asks nobody about a mapping: it maps the memory behind a device, and refuses where there is none',
    ({ op, errno }, got) =>
      op.startsWith('mmap') && errno === 'EINVAL' && (got.errno === 'ENODEV' || got.errno === undefined),
  ),
  underRun(
    'what maps memory of a device does not hold the device',
    ({ op, errno, blocked }, got, { mapped }) =>
      mapped &&
      ((op === 'ioctl' && errno === 'EBUSY' && got.ret === 0) ||
        (blocked === true && fields(got.ret).blocked === false)),
  ),
  underRun('a device that is not bound yet answers as /dev/null', (step, got, { unbound }) =>
    unbound === 'this file' ? answersAsNull(step, got) : false,
  ),
  underRun(
    'a device that is not bound yet is not in use',
    ({ blocked }, got, { unbound }) =>
      unbound !== undefined && blocked === true && fields(got.ret).blocked === false,
  ),
  underRun(
    "the machine's own KVM logs in the machine's own log",
    ({ op, lines }) => op === 'note' && JSON.stringify(lines ?? []).includes('KVM: '),
  ),
  underRun(
    'FUSE has no path for a working directory that was removed',
    ({ op }, got) => op === 'getcwd' && got.errno === 'ENOENT',
  ),
];
