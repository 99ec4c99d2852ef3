/**
 * A walk over everything that a host shows, and the use of all that its parents offer: what must hold of every host,
 * in this process and over a mount.
 * @module
 */

import { errnoName, KernelError } from '../../src/lib/errno.js';
import { type Sys, SysError } from '../conformance/sys.js';

const O_WRONLY = 1;
const O_DIRECTORY = 0o200000;
const TYPE = 0o170000;
const DIR = 0o040000;
const LINK = 0o120000;

/** What steers the emulation, and changes by being looked at. */
const CONTROL = '/sys/kernel/debug/mdevfs';
const MDEV_BUS = '/sys/class/mdev_bus';

/** How many devices are made of a type that offers tens of thousands, but for one fixture. */
const MOST = 1000;
const ALL = 65536;

/** What each host has: how many parents, and devices that can be made of them, one type after the other. */
export const expected: Record<string, { parents: number; devices: number }> = {
  big: { parents: 128, devices: 128 * 117 },
  clients: { parents: 5, devices: 2 * 4 + 36 + MOST + 1 },
  default: { parents: 2, devices: 36 + 117 },
  'intel-gvtg': { parents: 1, devices: 7 + 5 + 2 + 1 },
  mixed: { parents: 5, devices: 117 + 15 + 132 },
  'nvidia-a100-sriov': { parents: 16, devices: 16 * 6 },
  'nvidia-m60': { parents: 2, devices: 2 * 86 },
  'nvidia-t4': { parents: 1, devices: 117 },
  's390-ap': { parents: 1, devices: ALL },
  's390-ccw': { parents: 32, devices: 32 },
  s390x: { parents: 3, devices: MOST + 2 },
  samples: { parents: 3, devices: 36 + 12 + 84 },
};

/** What one device too many fails with, by driver. */
const FULL: Record<string, string> = {
  i915: 'ENOSPC',
  mbochs: 'ENOSPC',
  mdpy: 'EUSERS',
  mtty: 'ENOSPC',
  nvidia: 'ENOSPC',
  vfio_ap: 'EUSERS',
  vfio_ccw: 'EUSERS',
};

/** The errno that a call fails with; undefined when it does not. */
async function errnoOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (error instanceof SysError || error instanceof KernelError) return errnoName(error.errno);
    throw error;
  }
}

export function list(sys: Sys, path: string): string[] {
  const fd = sys.open(path, O_DIRECTORY);
  const names: string[] = [];
  for (;;) {
    const entries = sys.getdents64(fd, 32768);
    if (entries.length === 0) break;
    names.push(...entries.map(({ name }) => name).filter((name) => name !== '.' && name !== '..'));
  }
  sys.close(fd);
  return names.sort();
}

export function read(sys: Sys, path: string): string {
  const fd = sys.open(path, 0);
  try {
    let text = '';
    for (;;) {
      const bytes = sys.read(fd, 65536);
      if (bytes.length === 0) return text;
      text += Buffer.from(bytes).toString('latin1');
    }
  } finally {
    sys.close(fd);
  }
}

async function write(sys: Sys, path: string, text: string): Promise<void> {
  const fd = sys.open(path, O_WRONLY);
  try {
    await sys.write(fd, Buffer.from(text));
  } finally {
    sys.close(fd);
  }
}

/** What reading a file fails with: device memory can only be mapped, the ROM is switched off, no device suspends by itself. */
function readErrno(sys: Sys, path: string, mode: number): string | undefined {
  if ((mode & 0o444) === 0) return 'EACCES';
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === 'rom') return 'EINVAL';
  if (name === 'autosuspend_delay_ms') return 'EIO';
  const [, number] = /^resource(\d)(_wc)?$/.exec(name) ?? [];
  if (number === undefined) return undefined;
  const lines = read(sys, `${path.slice(0, path.lastIndexOf('/'))}/resource`).split('\n');
  const isPort = BigInt(lines[Number(number)]!.split(' ')[2]!) & 0x100n;
  return isPort ? 'EINVAL' : 'EIO';
}

/**
 * Looks at everything.
 * @returns a line for each node, and one for each thing that is not as it must be
 */
export async function walk(sys: Sys): Promise<{ nodes: string[]; faults: string[] }> {
  const nodes: string[] = [];
  const faults: string[] = [];
  const visit = async (path: string): Promise<void> => {
    const { mode } = sys.lstat(path);
    if ((mode & TYPE) === LINK) {
      nodes.push(`${path} -> ${sys.readlink(path)}`);
      const errno = await errnoOf(() => {
        const target = sys.realpath(path);
        if (!target.startsWith('/sys/')) faults.push(`${path}: leads to ${target}`);
      });
      if (errno) faults.push(`${path}: leads nowhere, ${errno}`);
    } else if ((mode & TYPE) === DIR) {
      nodes.push(`${path}/`);
      if (path !== CONTROL) for (const name of list(sys, path)) await visit(`${path}/${name}`);
    } else {
      nodes.push(path);
      const wanted = readErrno(sys, path, mode);
      const errno = await errnoOf(() => read(sys, path));
      if (errno !== wanted) faults.push(`${path}: ${errno} instead of ${wanted}`);
    }
  };
  await visit('/sys');
  return { nodes, faults };
}

const uuid = (n: number) => `83b8f4f2-509f-382f-3c1e-${n.toString(16).padStart(12, '0')}`;

/** What a parent offers, by type. */
export function offer(sys: Sys, parent: string): Map<string, number> {
  const types = `${MDEV_BUS}/${parent}/mdev_supported_types`;
  return new Map(
    list(sys, types).map((type) => [type, Number(read(sys, `${types}/${type}/available_instances`))]),
  );
}

/**
 * Makes of every type as many devices as a parent offers, one too many, and removes them again.
 * @param most no more than so many of a type; none too many then
 * @returns how many were made, and a line for each thing that is not as it must be
 */
export async function fill(
  sys: Sys,
  parent: string,
  most = MOST,
): Promise<{ made: number; faults: string[] }> {
  const faults: string[] = [];
  const before = offer(sys, parent);
  let made = 0;
  for (const [type, available] of before) {
    const dir = `${MDEV_BUS}/${parent}/mdev_supported_types/${type}`;
    const count = Math.min(available, most);
    for (let n = 0; n < count; n++) {
      const errno = await errnoOf(() => write(sys, `${dir}/create`, uuid(n)));
      if (errno) faults.push(`${parent} ${type}: ${errno} at device ${n} of ${available}`);
    }
    made += count;
    const left = read(sys, `${dir}/available_instances`);
    if (left !== `${available - count}\n`)
      faults.push(`${parent} ${type}: ${left.trim()} left of ${available}`);
    const there = list(sys, `${dir}/devices`).length;
    if (there !== count) faults.push(`${parent} ${type}: ${there} devices instead of ${count}`);
    if (count === available) {
      const errno = await errnoOf(() => write(sys, `${dir}/create`, uuid(count)));
      const wanted = FULL[type.slice(0, type.indexOf('-'))];
      if (errno !== wanted) faults.push(`${parent} ${type}: ${errno} for one too many instead of ${wanted}`);
    }
    for (let n = 0; n < count; n++) await write(sys, `/sys/bus/mdev/devices/${uuid(n)}/remove`, '1');
  }
  const after = offer(sys, parent);
  for (const [type, available] of before) {
    if (after.get(type) !== available)
      faults.push(`${parent} ${type}: ${after.get(type)} of ${available} afterwards`);
  }
  return { made, faults };
}

/** How many devices of a type are made for a fixture. */
export const mostOf = (name: string) => (name === 's390-ap' ? ALL : MOST);

export const parents = (sys: Sys) => list(sys, MDEV_BUS);
