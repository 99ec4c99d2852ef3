/**
 * Device drivers (drivers/base/driver.c, bus.c): a directory below the bus with the links to bound devices and the
 * files that bind and unbind by hand.
 * @module
 */

import { KernfsLink } from '../kernfs/link.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { Bus } from './bus.js';
import type { DriverCore } from './core.js';
import { bindStore, deviceDetach, driverAttach, unbindStore } from './dd.js';
import type { Device } from './device.js';
import { Kobject } from './kobject.js';
import type { Module } from './module.js';
import { Part } from './part.js';
import { ueventWriteOnly } from './uevent.js';

export interface DeviceDriverOptions<D extends Device = Device> {
  name: string;
  /** The module that the driver belongs to; its directory links to the driver. */
  module?: Module | undefined;
  /** Attribute groups of the driver's own directory. */
  groups?: readonly KernfsTemplate[];
  /** Attribute groups of every device while it is bound. */
  devGroups?: readonly KernfsTemplate[];
  /** Has no files to bind and unbind by hand. */
  suppressBindAttrs?: boolean;
  /** Takes a device. Throws the errno of a device that it cannot drive. */
  probe?(device: D): void;
  /** Lets a device go; may sleep until its users have. */
  remove?(device: D): Sleeps<void>;
}

const driverGroup = new AttributeGroup<DeviceDriver>({
  attributes: [
    ueventWriteOnly,
    { name: 'bind', mode: 0o200, store: bindStore },
    { name: 'unbind', mode: 0o200, store: unbindStore },
  ],
  isVisible: ({ options }, { name }) => name === 'uevent' || !options.suppressBindAttrs,
});

/** Links to the driver's devices; one whose removal sleeps has lost its link already. */
const deviceLinks: KernfsTemplate = {
  *names(driver: unknown): Iterable<string> {
    for (const device of (driver as DeviceDriver).devices) {
      if (device.shows(Part.Driver)) yield device.name;
    }
  },
  has: (name, driver) => (driver as DeviceDriver).findLinked(name) !== undefined,
  make(root, name, driver) {
    const device = (driver as DeviceDriver).findLinked(name);
    return device && new KernfsLink(root, name, device.dir);
  },
  directories: () => 0,
};

export class DeviceDriver extends Kobject {
  readonly core: DriverCore;
  readonly name: string;
  readonly options: DeviceDriverOptions;
  /** Devices from before their probe to after their removal, in the order in which they were bound. */
  readonly devices = new Set<Device>();

  constructor(
    readonly bus: Bus,
    options: DeviceDriverOptions,
  ) {
    super();
    this.core = bus.core;
    this.name = options.name;
    this.options = options;
  }

  get subsystem(): string {
    return 'drivers';
  }

  /**
   * Makes the driver known to its bus and binds it to the devices that match (`driver_register`).
   * @throws EBUSY when the bus has a driver of that name
   */
  register(): this {
    const { options, bus } = this;
    bus.addDriver(this);
    const dir = this.kobjectAdd(bus.driversDir);
    if (bus.autoprobe) driverAttach(this);
    options.module?.addDriver(this);
    dir.addTemplate(deviceLinks);
    dir.addTemplate(driverGroup);
    for (const group of options.groups ?? []) dir.addTemplate(group);
    this.uevent('add');
    return this;
  }

  /** The device of that name that the directory links to. */
  findLinked(name: string): Device | undefined {
    const device = this.bus.devices.get(name);
    return device?.driver === this && device.shows(Part.Driver) ? device : undefined;
  }

  /** Makes the links between a driver and a device (`driver_sysfs_add`). */
  addLinks(device: Device): void {
    this.dir.entryAdded(device.name);
    device.showPart(Part.Driver);
  }

  removeLinks(device: Device): void {
    device.hidePart(Part.Driver);
    this.dir.entryRemoved(device.name);
  }

  /** Unbinds every device, the last bound first, and forgets the driver. */
  unregister(): Sleeps<void> {
    return after(eachInTurn([...this.devices].reverse(), deviceDetach), () => {
      this.options.module?.removeDriver(this);
      this.bus.removeDriver(this);
      this.kobjectDel();
    });
  }
}
