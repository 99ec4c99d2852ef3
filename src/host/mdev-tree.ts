/**
 * What a sysfs tells of mediated devices: parents, what they offer, what was made of it, and who has it. Everything is
 * read from the files that a kernel has, so it works on a real /sys as well; only `holders` is this project's own.
 *
 * A file that is missing or cannot be read counts as not there: the tree may change while it is read.
 * @module
 */

import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface MdevTree {
  /** The directory that was read. */
  sysfs: string;
  parents: MdevTreeParent[];
}

export interface MdevTreeParent {
  /** As below `class/mdev_bus`. */
  name: string;
  /** Where it is, from `/devices` on. */
  path: string;
  bus: string | null;
  driver: string | null;
  /** VENDOR:DEVICE of PCI, in hexadecimal. */
  pciId: string | null;
  numaNode: number | null;
  iommuGroup: number | null;
  types: MdevTreeType[];
}

export interface MdevTreeType {
  /** As below `mdev_supported_types`. */
  name: string;
  /** What its `name` file says. */
  prettyName: string | null;
  deviceApi: string | null;
  description: string | null;
  /** How many more can be made; null when its file cannot be read. */
  free: number | null;
  devices: MdevTreeDevice[];
}

export interface MdevTreeDevice {
  uuid: string;
  driver: string | null;
  iommuGroup: number | null;
  /** What holds it, in words; null when nothing does or it is not known. */
  holders: string | null;
}

function text(...path: string[]): string | null {
  try {
    return readFileSync(join(...path), 'utf8').trim();
  } catch {
    return null;
  }
}

function number(...path: string[]): number | null {
  const value = text(...path);
  return value === null || !/^-?\d+$/.test(value) ? null : Number(value);
}

function names(...path: string[]): string[] {
  try {
    return readdirSync(join(...path)).sort();
  } catch {
    return [];
  }
}

function linked(...path: string[]): string | null {
  try {
    return basename(readlinkSync(join(...path)));
  } catch {
    return null;
  }
}

function groupOf(device: string): number | null {
  const group = linked(device, 'iommu_group');
  return group === null ? null : Number(group);
}

/** @param sysfs a directory that is laid out like /sys, and not served by this process */
export function readMdevTree(sysfs: string): MdevTree {
  const holders = holdersOf(sysfs);
  const parents = names(sysfs, 'class/mdev_bus').map((name) => readParent(sysfs, name, holders));
  return { sysfs, parents };
}

function readParent(sysfs: string, name: string, holders: Map<string, string>): MdevTreeParent {
  const dir = join(sysfs, 'class/mdev_bus', name);
  const [vendor, device] = [text(dir, 'vendor'), text(dir, 'device')];
  const numaNode = number(dir, 'numa_node');
  return {
    name,
    path: pathOf(sysfs, dir),
    bus: linked(dir, 'subsystem'),
    driver: linked(dir, 'driver'),
    pciId: vendor && device ? `${vendor.slice(2)}:${device.slice(2)}` : null,
    numaNode: numaNode === -1 ? null : numaNode,
    iommuGroup: groupOf(dir),
    types: names(dir, 'mdev_supported_types').map((type) =>
      readType(join(dir, 'mdev_supported_types', type), type, holders),
    ),
  };
}

function pathOf(sysfs: string, dir: string): string {
  try {
    return realpathSync(dir).slice(realpathSync(sysfs).length);
  } catch {
    return dir;
  }
}

function readType(dir: string, name: string, holders: Map<string, string>): MdevTreeType {
  return {
    name,
    prettyName: text(dir, 'name'),
    deviceApi: text(dir, 'device_api'),
    description: text(dir, 'description'),
    free: number(dir, 'available_instances'),
    devices: names(dir, 'devices').map((uuid) => ({
      uuid,
      driver: linked(dir, 'devices', uuid, 'driver'),
      iommuGroup: groupOf(join(dir, 'devices', uuid)),
      holders: holders.get(uuid) ?? null,
    })),
  };
}

/** By device. Only root may read it. */
function holdersOf(sysfs: string): Map<string, string> {
  const lines = text(sysfs, 'kernel/debug/mdevfs/holders')?.split('\n') ?? [];
  return new Map(
    lines.flatMap((line) => {
      const colon = line.indexOf(': ');
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 2)] as const] : [];
    }),
  );
}
