/**
 * Devices of a tree that the emulation has no model for, as plain devices of a fixture. A directory is one when it has
 * what every device has, and is where the driver core would put such a device; others are raw nodes.
 * @module
 */

import type { PlainDevice } from './fixture-node.js';
import { firmwareNode } from './snapshot-pci.js';
import type { Tree, TreeDir } from './tree.js';

/** A plain device as a fixture may say it. */
export interface DeviceInput extends Partial<Omit<PlainDevice, 'devices'>> {
  name: string;
  devices?: DeviceInput[];
}

const DEVICES = '/sys/devices';
const VIRTUAL = '/sys/devices/virtual';
/** Variables of uevents that come by themselves. */
const OWN_VARIABLES = /^(MAJOR|MINOR|DEVNAME|DRIVER)=/;

/** Where plain devices hang that do not hang on each other. */
export interface DevicePlaces {
  /** The list of the devices below a device that is described elsewhere; undefined when nothing can hang there. */
  below(path: string): DeviceInput[] | undefined;
  /** Those without a parent. */
  top: DeviceInput[];
  /** Whether plain devices may be in a class or on a bus of this name. */
  mayHave(subsystem: string): boolean;
}

/** What is above: a device, or nothing. */
interface Above {
  path: string | undefined;
  isClass: boolean;
  list: DeviceInput[] | undefined;
}

const isDevice = ({ entries }: TreeDir) => {
  const uevent = entries.get('uevent');
  const isReadable = uevent?.kind === 'file' && (uevent.mode & 0o444) !== 0;
  return isReadable && (entries.has('subsystem') || entries.has('power'));
};

/**
 * Finds plain devices and puts them where they belong.
 * @param model the devices that there are without them
 * @returns the devices, by path
 */
export function addPlainDevices(tree: Tree, model: Tree, places: DevicePlaces): Map<string, DeviceInput> {
  const found = new Map<string, DeviceInput>();

  const visit = (path: string, above: Above, isGlue: boolean): void => {
    for (const name of tree.dirNames(path)) {
      const at = `${path}/${name}`;
      const dir = tree.dir(at)!;
      const isModelled = model.has(`${at}/uevent`);
      if (!isModelled && !isDevice(dir)) {
        if (at === VIRTUAL || !isGlue) visit(at, above, at !== VIRTUAL);
        continue;
      }
      const subsystem = (isModelled ? model : tree).target(`${at}/subsystem`);
      const isClass = subsystem?.startsWith('/sys/class/') ?? false;
      if (isModelled) {
        visit(at, { path: at, isClass, list: places.below(at) }, false);
        continue;
      }
      if (!above.list || expectedPath(name, subsystem, above) !== at) continue;
      const device = plainDevice(tree, at, name, subsystem, places);
      if (!device) continue;
      const devices: DeviceInput[] = [];
      found.set(at, device);
      above.list.push(device);
      visit(at, { path: at, isClass, list: devices }, false);
      if (devices.length > 0) device.devices = devices;
    }
  };
  visit(DEVICES, { path: undefined, isClass: false, list: places.top }, false);
  return found;
}

/** Where the driver core puts a device. */
function expectedPath(name: string, subsystem: string | undefined, above: Above): string {
  if (!subsystem?.startsWith('/sys/class/')) return `${above.path ?? DEVICES}/${name}`;
  if (above.isClass) return `${above.path}/${name}`;
  return `${above.path ?? VIRTUAL}/${subsystem.slice('/sys/class/'.length)}/${name}`;
}

function plainDevice(
  tree: Tree,
  path: string,
  name: string,
  subsystem: string | undefined,
  places: DevicePlaces,
): DeviceInput | undefined {
  const [, kind, owner] = /^\/sys\/(class|bus)\/([^/]+)$/.exec(subsystem ?? '') ?? [];
  if (subsystem !== undefined && !owner) return undefined;
  if (owner !== undefined && !places.mayHave(owner)) return undefined;
  if (/%d|\{\w+\}/.test(name)) return undefined;
  const lines = (tree.text(`${path}/uevent`) ?? '').split('\n').filter(Boolean);
  if (!lines.every((line) => /^[A-Z0-9_]+=/.test(line))) return undefined;
  const value = (key: string) => lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
  // A block device has no character device of its number.
  const isBlock = kind === 'class' && owner === 'block';
  const dev = isBlock ? undefined : tree.text(`${path}/dev`);
  const hasDev = dev !== undefined && /^\d+:\d+$/.test(dev);
  const devname = value('DEVNAME');
  const variables = lines.filter((line) => !(hasDev ? OWN_VARIABLES : /^DRIVER=/).test(line));
  const driver = kind === 'bus' ? driverOf(tree, path, owner!) : undefined;
  return {
    name,
    ...(kind === 'class' && { class: owner! }),
    ...(kind === 'bus' && { bus: owner! }),
    ...(hasDev && { dev }),
    ...(hasDev && devname !== undefined && devname !== name && { devname }),
    ...(variables.length > 0 && { variables }),
    ...(driver !== undefined && { driver }),
    ...firmwareNode(tree, path),
    ...(tree.dir(`${path}/power`)?.entries.size === 0 && { power: 'none' as const }),
  };
}

function driverOf(tree: Tree, path: string, bus: string): string | undefined {
  const target = tree.target(`${path}/driver`);
  const prefix = `/sys/bus/${bus}/drivers/`;
  return target?.startsWith(prefix) ? target.slice(prefix.length) : undefined;
}
