/**
 * Devices of a host that the emulation has no model for, with the buses, classes and drivers they belong to: whole
 * objects of the driver core that do nothing.
 * @module
 */

import { Bus } from '../base/bus.js';
import type { Devt } from '../base/chrdev.js';
import { DeviceClass, type DevNode } from '../base/class.js';
import type { DriverCore } from '../base/core.js';
import { Device } from '../base/device.js';
import { DeviceDriver } from '../base/driver.js';
import { type DeviceOptions, NamedDevice } from '../base/named-device.js';
import { KernfsDir } from '../kernfs/dir.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { supplierGroup } from '../pci/device.js';
import type { PlainDevice as Description } from './fixture-node.js';
import { belowSys, PathLink, RawNodes } from './host-node.js';
import { wakeupGroup } from './host-wakeup.js';

interface PlainOptions extends DeviceOptions {
  devname?: string | undefined;
  variables?: readonly string[];
  /** Name of the driver that has it. */
  driverName?: string | undefined;
}

class PlainDevice extends NamedDevice {
  readonly #devname: string | undefined;
  readonly #variables: readonly string[];
  readonly driverName: string | undefined;

  constructor(core: DriverCore, name: string, options: PlainOptions) {
    super(core, name, options);
    this.#devname = options.devname;
    this.#variables = options.variables ?? [];
    this.driverName = options.driverName;
  }

  override get node(): DevNode | undefined {
    return this.devt && { name: this.#devname ?? this.name };
  }

  override ueventVariables(): string[] {
    return [...super.ueventVariables(), ...this.#variables];
  }
}

/** The power directory of a device without runtime power management callbacks is empty. */
const NO_CALLBACKS = {
  control: 'auto',
  status: 'unsupported',
  activeTime: () => 0,
  suspendedTime: () => 0,
  noCallbacks: true,
} as const;

const classGroups: Record<string, readonly KernfsTemplate[]> = { wakeup: [wakeupGroup] };

/** A device that was made from a description, and all that came with it. */
export class PlainTree {
  constructor(
    readonly device: Device,
    readonly nodes: RawNodes,
    readonly below: readonly PlainTree[],
  ) {}

  /** Deletes the device after everything below it. */
  del(): Sleeps<void> {
    return after(
      eachInTurn([...this.below].reverse(), (tree) => tree.del()),
      () => {
        this.nodes.remove();
        return this.device.del();
      },
    );
  }
}

/** Makes plain objects of one machine. */
export class PlainHost {
  /** Buses that were made, with the drivers that were made on each. */
  readonly buses = new Map<string, Set<string>>();
  /** Classes that were made. */
  readonly classes = new Set<string>();
  #nextIfindex = 2;

  constructor(readonly core: DriverCore) {}

  /** The bus of that name; made if there is none. */
  bus(name: string): Bus {
    const dir = this.core.bus.find(name);
    if (dir instanceof KernfsDir && dir.owner instanceof Bus) return dir.owner;
    this.buses.set(name, new Set());
    return new Bus(this.core, name, {
      match: (device, driver) => device instanceof PlainDevice && device.driverName === driver.name,
    }).register();
  }

  /** The class of that name; made if there is none. */
  class(name: string): DeviceClass {
    const dir = this.core.class.find(name);
    if (dir instanceof KernfsDir && dir.owner instanceof DeviceClass) return dir.owner;
    this.classes.add(name);
    return new DeviceClass(this.core, name, { groups: classGroups[name] ?? [] }).register();
  }

  /** Has a bus of plain devices a driver of that name. */
  driver(bus: Bus, name: string): void {
    if (bus.drivers.has(name)) return;
    this.buses.get(bus.name)?.add(name);
    new DeviceDriver(bus, { name }).register();
  }

  /** The device whose directory is at a path below the mount; made, with those above it, if there is none. */
  device(path: string): Device {
    let parent: Device | undefined;
    let dir: KernfsDir = this.core.devices;
    for (const name of path.split('/').slice(2)) {
      const found = dir.find(name);
      if (found instanceof KernfsDir && found.owner instanceof Device) parent = found.owner;
      else {
        parent = new PlainDevice(this.core, name, { parent });
        parent.add();
      }
      dir = parent.dir;
    }
    if (!parent) throw new Error(`${path} is no place for a device`);
    return parent;
  }

  /**
   * Makes a device and what is below it.
   * @param parent the device above, where the description names none
   * @param values texts for the {KEY} places
   */
  add(description: Description, parent?: Device, values: Record<string, string> = {}): PlainTree {
    const { core } = this;
    let name = '';
    let ifindex: number | undefined;
    const fill = (text: string) =>
      text.replace(/\{(\w+)\}/g, (whole, key: string) => {
        if (key === 'name') return name;
        if (key === 'ifindex') {
          ifindex ??= this.#nextIfindex++;
          return String(ifindex);
        }
        return values[key] ?? whole;
      });
    const deviceClass = description.class === undefined ? undefined : this.class(description.class);
    name = numbered(fill(description.name), deviceClass);
    const bus = description.bus === undefined ? undefined : this.bus(description.bus);
    if (bus && description.driver !== undefined) this.driver(bus, description.driver);
    const above = description.parent === undefined ? parent : this.device(belowSys(description.parent));
    const device = new PlainDevice(core, name, {
      parent: above,
      ...(bus && { bus }),
      ...(deviceClass && { class: deviceClass }),
      devt: parseDevt(description.dev),
      devname: description.devname,
      variables: description.variables.map(fill),
      driverName: description.driver,
    });
    if (description.power === 'none') device.pm = { ...NO_CALLBACKS };
    device.add();
    const nodes = new RawNodes(core, fill, true);
    if (description.firmwareNode !== undefined) addFirmwareNode(device, description.firmwareNode);
    nodes.addAll(() => device.dir, description.nodes);
    const below = description.devices.map((child) => this.add(child, device, values));
    return new PlainTree(device, nodes, below);
  }
}

/** Links a device to the firmware object that describes it (`acpi_bind_one`). */
export function addFirmwareNode(device: Device, path: string): void {
  const { dir } = device;
  dir.add(new PathLink(dir.root, 'firmware_node', belowSys(path)));
  if (!device.driver) dir.addTemplate(supplierGroup);
}

/** A name with `%d` as the lowest number that no device of the class has. */
function numbered(name: string, deviceClass: DeviceClass | undefined): string {
  if (!name.includes('%d')) return name;
  for (let number = 0; ; number++) {
    const candidate = name.replace('%d', String(number));
    if (!deviceClass?.devices.has(candidate)) return candidate;
  }
}

function parseDevt(text: string | undefined): Devt | undefined {
  if (text === undefined) return undefined;
  const [major = 0, minor = 0] = text.split(':').map(Number);
  return { major, minor };
}
