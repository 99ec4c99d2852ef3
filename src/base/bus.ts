/**
 * Buses (drivers/base/bus.c): the devices and drivers of one kind, and the files that have them matched.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { LinkTemplate, linksTo } from '../kernfs/projection.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { Errno, KernelError } from '../lib/errno.js';
import { cstring } from '../lib/kstrtox.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { DriverCore } from './core.js';
import { deviceAttach } from './dd.js';
import type { Device } from './device.js';
import type { DeviceDriver } from './driver.js';
import { Kobject } from './kobject.js';
import { Part } from './part.js';
import { ueventWriteOnly } from './uevent.js';

export interface BusOptions {
  /** Attribute groups of the bus directory. */
  groups?: readonly KernfsTemplate[];
  /** Attribute groups of every device of the bus. */
  devGroups?: readonly KernfsTemplate[];
  /** Whether a driver may drive a device. Without it every driver may. */
  match?(device: Device, driver: DeviceDriver): boolean;
  /** Called instead of the driver's own probe and remove. */
  probe?(device: Device): void;
  remove?(device: Device): Sleeps<void>;
  /** Variables of a device's uevents. */
  uevent?(device: Device): string[];
}

const busLinks = new LinkTemplate<Device>({ subsystem: (device) => device.bus!.dir });

const busGroup = new AttributeGroup<Bus>({
  attributes: [
    ueventWriteOnly,
    {
      name: 'drivers_autoprobe',
      mode: 0o644,
      show: (bus) => `${bus.autoprobe ? 1 : 0}\n`,
      store: (bus, text) => {
        bus.autoprobe = text[0] !== '0';
      },
    },
    {
      name: 'drivers_probe',
      mode: 0o200,
      store: (bus, text) => {
        const device = bus.findDevice(text);
        if (!device) throw new KernelError(Errno.ENODEV);
        return after(deviceAttach(device), () => {});
      },
    },
  ],
});

export class Bus extends Kobject {
  readonly #options: BusOptions;
  /** What every device of the bus shows. */
  readonly deviceTemplates: readonly KernfsTemplate[];
  readonly devices = new Map<string, Device>();
  readonly drivers = new Map<string, DeviceDriver>();
  /** Whether new devices and new drivers are matched at once. */
  autoprobe = true;

  constructor(
    readonly core: DriverCore,
    readonly name: string,
    options: BusOptions = {},
  ) {
    super();
    this.#options = options;
    this.deviceTemplates = [busLinks, ...(options.devGroups ?? [])];
  }

  get subsystem(): string {
    return 'bus';
  }

  get devicesDir(): KernfsDir {
    return this.dir.lookup('devices') as KernfsDir;
  }

  get driversDir(): KernfsDir {
    return this.dir.lookup('drivers') as KernfsDir;
  }

  get probe(): BusOptions['probe'] {
    return this.#options.probe;
  }

  get remove(): BusOptions['remove'] {
    return this.#options.remove;
  }

  get deviceUevent(): BusOptions['uevent'] {
    return this.#options.uevent;
  }

  match(device: Device, driver: DeviceDriver): boolean {
    return this.#options.match?.(device, driver) ?? true;
  }

  /** @throws EEXIST when there is a bus of that name */
  register(): this {
    const dir = this.kobjectAdd(this.core.bus);
    this.uevent('add');
    dir.addTemplate(busGroup);
    dir.addDir('devices').addTemplate(linksTo(this.devices));
    dir.addDir('drivers');
    for (const group of this.#options.groups ?? []) dir.addTemplate(group);
    return this;
  }

  unregister(): void {
    this.kobjectDel();
  }

  /** The device that a line written to a bus or driver file names, with or without its newline. */
  findDevice(text: string): Device | undefined {
    return this.devices.get(cstring(text).replace(/\n$/, ''));
  }

  /** Links a device into the bus (`bus_add_device`). */
  addDevice(device: Device): void {
    device.showPart(Part.Bus);
    this.devices.set(device.name, device);
    this.devicesDir.entryAdded(device.name);
  }

  /** The first half of `bus_remove_device`; the other is that its driver lets go. */
  unlistDevice(device: Device): void {
    device.hidePart(Part.Bus);
    this.devices.delete(device.name);
    this.devicesDir.entryRemoved(device.name);
  }

  probeDevice(device: Device): void {
    if (this.autoprobe) void deviceAttach(device);
  }

  /** @throws EBUSY when the bus has a driver of that name */
  addDriver(driver: DeviceDriver): void {
    if (this.drivers.has(driver.name)) throw new KernelError(Errno.EBUSY);
    this.drivers.set(driver.name, driver);
  }

  removeDriver(driver: DeviceDriver): void {
    this.drivers.delete(driver.name);
  }
}
