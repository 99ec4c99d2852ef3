/**
 * The mdev core (drivers/vfio/mdev/mdev_core.c, module `mdev`): the bus, the class of parents, and what makes a UUID
 * unique on the machine.
 * @module
 */

import { Bus } from '../base/bus.js';
import { ClassCompat } from '../base/class.js';
import type { DriverCore } from '../base/core.js';
import type { ModuleDefinition } from '../base/module.js';
import type { MdevDevice } from './device.js';

export class MdevCore {
  readonly bus: Bus;
  readonly parents: ClassCompat;
  /** Devices that are leaving: some have left the bus already, and nobody else may have their UUIDs yet. */
  readonly leaving = new Map<string, MdevDevice>();

  constructor(readonly core: DriverCore) {
    // A driver never binds by itself: the core attaches the driver of the parent at creation, and an mdev that was
    // unbound can only be removed.
    this.bus = new Bus(core, 'mdev', { match: () => false }).register();
    this.parents = new ClassCompat(core, 'mdev_bus');
  }

  /** The device of a UUID, from creation to release. */
  find(uuid: string): MdevDevice | undefined {
    return this.leaving.get(uuid) ?? (this.bus.devices.get(uuid) as MdevDevice | undefined);
  }

  exit(): void {
    this.bus.unregister();
    this.parents.unregister();
  }
}

export const mdevModule: ModuleDefinition<MdevCore> = {
  name: 'mdev',
  init: (module) => new MdevCore(module.core),
  exit: (mdev) => mdev.exit(),
};
