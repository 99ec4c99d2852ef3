/**
 * Miscellaneous character devices (drivers/char/misc.c): devices that share major 10, each with a minor of its own.
 * @module
 */

import type { Sleeps } from '../lib/sleep.js';
import { builtin } from './builtin.js';
import { MISC_MAJOR } from './chrdev.js';
import { DeviceClass } from './class.js';
import type { DriverCore } from './core.js';
import type { Device } from './device.js';
import type { OpenDevice } from './file.js';
import { NamedDevice } from './named-device.js';

export interface MiscDeviceOptions {
  /** Name in sysfs. */
  name: string;
  minor: number;
  /** Name below /dev where it differs. */
  nodename?: string;
  /** Mode of the node where it is not the usual 0600. */
  mode?: number;
  /** What opening the node does; without it nobody can. */
  open?: OpenDevice;
}

class MiscDevice extends NamedDevice {
  constructor(
    core: DriverCore,
    miscClass: DeviceClass,
    readonly misc: MiscDeviceOptions,
  ) {
    super(core, misc.name, { class: miscClass, devt: { major: MISC_MAJOR, minor: misc.minor } });
  }
}

export class Misc {
  readonly class: DeviceClass;

  constructor(readonly core: DriverCore) {
    this.class = new DeviceClass(core, 'misc', {
      devnode: (device) => {
        const { misc } = device as MiscDevice;
        return { name: misc.nodename ?? misc.name, ...(misc.mode !== undefined && { mode: misc.mode }) };
      },
      open: (device) => (device as MiscDevice).misc.open?.(),
    }).register();
  }

  /**
   * Registers a device (`misc_register`).
   * @throws EEXIST when there is one of that name
   */
  register(options: MiscDeviceOptions): Device {
    const device = new MiscDevice(this.core, this.class, options);
    device.add();
    return device;
  }

  deregister(device: Device): Sleeps<void> {
    return device.del();
  }
}

/** How modules find the misc subsystem. */
export const miscBuiltin = builtin<Misc>('misc');
