/**
 * Device classes (drivers/base/class.c): a directory of links to the devices of one kind, wherever they hang.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { LinkTemplate, linksTo } from '../kernfs/projection.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { NumberedMap } from '../lib/numbered-map.js';
import type { DriverCore } from './core.js';
import type { Device } from './device.js';
import type { CharFile } from './file.js';
import { Kobject } from './kobject.js';

/** Where a device's node is. */
export interface DevNode {
  /** Below /dev. */
  readonly name: string;
  /** Where it is not the usual 0600. */
  readonly mode?: number;
}

export interface DeviceClassOptions {
  /** Attribute groups of every device of the class. */
  groups?: readonly KernfsTemplate[];
  devnode?(device: Device): DevNode;
  /** What opening a device's node does; undefined for a device that cannot be opened. */
  open?(device: Device): CharFile | undefined;
}

const classLinks = new LinkTemplate<Device>({
  subsystem: (device) => device.class!.dir,
  device: (device) => device.parent?.dir,
});

export class DeviceClass extends Kobject {
  /** What every device of the class shows. */
  readonly deviceTemplates: readonly KernfsTemplate[];
  readonly devnode: DeviceClassOptions['devnode'];
  readonly open: DeviceClassOptions['open'];
  readonly devices = new NumberedMap<Device>();

  constructor(
    readonly core: DriverCore,
    readonly name: string,
    options: DeviceClassOptions = {},
  ) {
    super();
    this.deviceTemplates = [classLinks, ...(options.groups ?? [])];
    this.devnode = options.devnode;
    this.open = options.open;
  }

  get subsystem(): string {
    return 'class';
  }

  /** @throws EEXIST when there is a class of that name */
  register(): this {
    this.kobjectAdd(this.core.class).addTemplate(linksTo(this.devices));
    this.uevent('add');
    return this;
  }

  unregister(): void {
    this.kobjectDel();
  }

  addDevice(device: Device): void {
    const { name } = device;
    this.devices.set(name, device);
    this.dir.entryAdded(name);
  }

  removeDevice(device: Device): void {
    const { name } = device;
    this.devices.delete(name);
    this.dir.entryRemoved(name);
  }
}

/**
 * A compatibility class (`class_compat_register`): a plain directory of links below /sys/class, without uevents,
 * to devices that belong to another subsystem.
 */
export class ClassCompat {
  readonly dir: KernfsDir;

  constructor(core: DriverCore, name: string) {
    this.dir = core.class.addDir(name);
  }

  addLink(device: Device): void {
    this.dir.addLink(device.name, device.dir);
  }

  removeLink(device: Device): void {
    this.dir.removeChild(device.name);
  }

  unregister(): void {
    this.dir.parent?.removeChild(this.dir.name);
  }
}
