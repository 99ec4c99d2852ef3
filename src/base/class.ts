/**
 * Device classes (drivers/base/class.c): a directory of links to the devices of one kind, wherever they hang.
 * @module
 */

import type { KernfsDir, KernfsTemplate } from '../kernfs/dir.js';
import type { DriverCore } from './core.js';
import type { Device } from './device.js';
import { Kobject } from './kobject.js';

export interface DeviceClassOptions {
  /** Attribute groups of every device of the class. */
  groups?: readonly KernfsTemplate[];
  /** Name of a device's node below /dev, and its mode where it is not the usual 0600. */
  devnode?(device: Device): { name: string; mode?: number };
}

export class DeviceClass extends Kobject {
  readonly groups: readonly KernfsTemplate[];
  readonly devnode: DeviceClassOptions['devnode'];

  constructor(core: DriverCore, name: string, options: DeviceClassOptions = {}) {
    super(core, name);
    this.groups = options.groups ?? [];
    this.devnode = options.devnode;
  }

  get subsystem(): string {
    return 'class';
  }

  /** @throws EEXIST when there is a class of that name */
  register(): this {
    this.kobjectAdd(this.core.class);
    this.uevent('add');
    return this;
  }

  unregister(): void {
    this.kobjectDel();
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
