/**
 * Drivers of mediated devices (include/linux/mdev.h `struct mdev_driver`, drivers/vfio/mdev/mdev_driver.c).
 * @module
 */

import type { Device } from '../base/device.js';
import { DeviceDriver } from '../base/driver.js';
import type { Module } from '../base/module.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import type { Sleeps } from '../lib/sleep.js';
import type { MdevCore } from './core.js';
import type { MdevDevice } from './device.js';
import type { MdevType } from './type.js';

/** What a vendor driver provides. */
export interface MdevDriver {
  readonly name: string;
  /** Device API shown by its types: `vfio-pci`, `vfio-platform`, `vfio-ap`, `vfio-ccw`. */
  readonly deviceApi: string;
  /** How many devices a parent may have when the core does the counting; unused with {@link getAvailable}. */
  readonly maxInstances?: number;
  /** Attribute groups that every device of the driver has. */
  readonly devGroups?: readonly KernfsTemplate[];
  /** Takes a new device. Throws the errno with which `create` fails. */
  probe(mdev: MdevDevice): void;
  /** Lets a device go; may sleep while it is in use. */
  remove(mdev: MdevDevice): Sleeps<void>;
  /** Whether types have no `name` file, as those of i915 before Linux 6.1. */
  readonly hideName?: boolean;
  /** What users wrote to the attributes of a device and it keeps, by NAME or GROUP/NAME. */
  written?(mdev: MdevDevice): Record<string, string>;
  /** How many more devices of a type can be made; a driver without it leaves the counting to the core. */
  getAvailable?(type: MdevType): number;
  /** Text of the `description` file; the file exists only with it. */
  showDescription?(type: MdevType): string;
}

/** An {@link MdevDriver} on the mdev bus. */
export class RegisteredMdevDriver extends DeviceDriver {
  constructor(
    readonly mdev: MdevCore,
    readonly driver: MdevDriver,
    module: Module | undefined,
  ) {
    super(mdev.bus, {
      name: driver.name,
      module,
      devGroups: driver.devGroups ?? [],
      probe: (device: Device) => driver.probe(device as MdevDevice),
      remove: (device: Device) => driver.remove(device as MdevDevice),
    });
  }
}

/**
 * Registers a driver with the mdev bus (`mdev_register_driver`).
 * @throws EBUSY when there is a driver of that name
 */
export function mdevRegisterDriver(
  mdev: MdevCore,
  driver: MdevDriver,
  module?: Module,
): RegisteredMdevDriver {
  return new RegisteredMdevDriver(mdev, driver, module).register() as RegisteredMdevDriver;
}

/** Unregisters a driver; its devices are unbound first. */
export function mdevUnregisterDriver(driver: RegisteredMdevDriver): Sleeps<void> {
  return driver.unregister();
}
