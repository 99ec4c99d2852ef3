/**
 * Parents of mediated devices (drivers/vfio/mdev/mdev_core.c): a device whose driver offers types. Registering one
 * makes its mdev_supported_types and its link in /sys/class/mdev_bus.
 * @module
 */

import { removeAnyway } from '../base/dd.js';
import { devPrint } from '../base/dev-print.js';
import type { Device } from '../base/device.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { Errno, KernelError } from '../lib/errno.js';
import { rosterMembers } from '../lib/roster.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import type { MdevCore } from './core.js';
import { MdevDevice, mdevDeviceRemoveCommon } from './device.js';
import type { MdevDriver, RegisteredMdevDriver } from './driver.js';
import type { MdevType } from './type.js';

export class MdevParent {
  /** Instances left when the core does the counting. */
  availableInstances: number;
  unregistering = false;
  /** Creations that sleep; the parent stays until they are through (`unreg_sem`). */
  readonly creating = new Set<Promise<void>>();

  constructor(
    readonly device: Device,
    readonly registeredDriver: RegisteredMdevDriver,
    readonly types: readonly MdevType[],
  ) {
    this.availableInstances = this.driver.maxInstances ?? 0;
  }

  get driver(): MdevDriver {
    return this.registeredDriver.driver;
  }

  get mdev(): MdevCore {
    return this.registeredDriver.mdev;
  }

  /** Devices of this parent, in order of creation. */
  get devices(): MdevDevice[] {
    return [...rosterMembers(this.device.children)].filter((child) => child instanceof MdevDevice);
  }

  /** @throws EUSERS when the core counts and nothing is left */
  takeInstance(): void {
    if (this.driver.getAvailable) return;
    if (this.availableInstances === 0) throw new KernelError(Errno.EUSERS);
    this.availableInstances--;
  }

  giveInstance(): void {
    if (!this.driver.getAvailable) this.availableInstances++;
  }
}

/**
 * Makes a device a parent (`mdev_register_parent`).
 * @throws EEXIST when it is one already
 */
export function mdevRegisterParent(
  device: Device,
  driver: RegisteredMdevDriver,
  types: readonly MdevType[],
): MdevParent {
  const parent = new MdevParent(device, driver, types);
  const typesDir: KernfsDir = device.dir.addDir('mdev_supported_types');
  for (const type of types) type.add(parent, typesDir);
  parent.mdev.parents.addLink(device);
  devPrint(device, 'MDEV: Registered');
  device.uevent('change', ['MDEV_STATE=registered']);
  return parent;
}

/** Undoes {@link mdevRegisterParent}: removes the parent's devices first, and sleeps while one is in use. */
export function mdevUnregisterParent(parent: MdevParent): Sleeps<void> {
  const { device } = parent;
  devPrint(device, 'MDEV: Unregistering');
  parent.unregistering = true;
  parent.mdev.parents.removeLink(device);
  const created = parent.creating.size === 0 ? undefined : Promise.allSettled(parent.creating);
  const removed = after<unknown, void>(created, () =>
    eachInTurn(parent.devices, (mdev) =>
      after(removeAnyway(mdev), () => (mdev.active ? mdevDeviceRemoveCommon(mdev) : undefined)),
    ),
  );
  return after(removed, () => {
    for (const type of parent.types) type.remove();
    device.dir.removeChild('mdev_supported_types');
    device.uevent('change', ['MDEV_STATE=unregistered']);
  });
}
