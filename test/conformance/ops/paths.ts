/**
 * Operations on paths that change nothing, and the composed ones: echo, cat, state.
 * @module
 */

import { errnoOf, nameOfErrno } from '../errno-names.js';
import { parseOpenFlags } from '../flags.js';
import { direntType, recordedStat } from '../stat.js';
import type { Sys } from '../sys.js';
import {
  bytesOf,
  namesIn,
  type Operands,
  type Operations,
  pathOf,
  readDirectory,
  readFile,
  readText,
  writeFile,
} from './operation.js';

export const pathOperations: Operations = {
  echo: (run, operands) =>
    writeFile(
      run.sys,
      pathOf(operands),
      parseOpenFlags(operands.args.flags ?? 'O_WRONLY'),
      bytesOf(operands.args.data),
    ),
  cat: (run, operands) => readFile(run.sys, pathOf(operands)),
  state(run, { step }) {
    const types = Object.keys((step.ret ?? {}) as object).filter((key) => key !== 'mdevs');
    const available = types.map((path) => [path, availableInstances(run.sys, path)] as const);
    return { mdevs: mdevs(run.sys), ...Object.fromEntries(available) };
  },
  readdir: (run, operands) =>
    readDirectory(run.sys, pathOf(operands)).map(({ name, type }) => [name, direntType(type)]),
  lstat: (run, operands) => recordedStat(run.sys.lstat(pathOf(operands))),
  stat: (run, operands) => recordedStat(run.sys.stat(pathOf(operands))),
  nlink: (run, operands) => run.sys.stat(pathOf(operands)).nlink,
  mtime(run, operands) {
    const { atime, mtime } = run.sys.stat(pathOf(operands));
    // As a yes or no it asks whether the times are new again, after some had been set by hand.
    return typeof operands.step.ret === 'boolean' ? mtime > RECENT : [atime, mtime];
  },
  readlink: (run, operands) =>
    operands.args.path === undefined && operands.list.length === 0
      ? run.call('fdPath')(run.fd())
      : run.sys.readlink(pathOf(operands)),
  'readlink bufsize': (run, operands) => readlinkInto(run.sys, operands),
  'readlink fd': (run) => run.call('fdPath')(run.fd()),
  fdinfo: (run) =>
    run
      .call('fdinfo')(run.fd())
      .filter((line) => /^(pos|flags):/.test(line)),
  realpath: (run, operands) => run.sys.realpath(pathOf(operands)),
  access(run, operands) {
    const allowed = (mode: number): boolean => succeeds(() => run.sys.access(pathOf(operands), mode));
    if (operands.list.length > 1) return allowed(Number(operands.list[1]));
    return accessLetters
      .filter(([, mode]) => allowed(mode))
      .map(([letter]) => letter)
      .join('');
  },
  chdir: (run, operands) => run.call('chdir')(pathOf(operands)),
  getcwd: (run) => run.call('getcwd')(),
  name_to_handle_at: (run, operands) => run.call('nameToHandleAt')(pathOf(operands)),
  statx(run, operands) {
    const { mask, blksize, attributes, attributesMask } = run.call('statx')(pathOf(operands));
    return { mask: hex(mask), blksize, attributes: hex(attributes), attributes_mask: hex(attributesMask) };
  },
  statfs(run, operands) {
    const recorded = (operands.step.ret ?? {}) as Record<string, unknown>;
    const { type, flags, ...rest } = run.call('statfs')(pathOf(operands));
    const numbers = Object.entries(rest).map(([name, value]) => [`f_${name}`, value] as const);
    const form = { f_type: hex(type), f_flags: hex(flags), ...Object.fromEntries(numbers) };
    // The id of the file system instance is another one at every boot.
    return 'f_fsid' in recorded ? { ...form, f_fsid: recorded.f_fsid } : form;
  },
  pathconf: (run, { args }) => run.call('pathconf')(String(args.path ?? '/sys'), String(args.name)),
};

/** 2001: later than any time that a recording sets, earlier than any clock. */
const RECENT = 1e9;

const accessLetters = [
  ['F', 0],
  ['R', 4],
  ['W', 2],
  ['X', 1],
] as const;

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

function succeeds(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

function orErrno<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return nameOfErrno(errno);
  }
}

function availableInstances(sys: Sys, type: string): string {
  return orErrno(() => readText(sys, `${type}/available_instances`).trim());
}

function mdevs(sys: Sys): string[] | string {
  return orErrno(() => namesIn(sys, '/sys/bus/mdev/devices').sort());
}

/** These steps name no link; they were made on the one device there was. */
function readlinkInto(sys: Sys, { step }: Operands): unknown {
  const size = Number(step.op.split(' ').at(-1));
  const devices = '/sys/bus/mdev/devices';
  const link = `${devices}/${namesIn(sys, devices)[0]}`;
  return orErrno(() => {
    const target = sys.readlink(link, size);
    return [target.length, target];
  });
}
