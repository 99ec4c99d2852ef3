/**
 * Mediated devices (drivers/vfio/mdev/mdev_core.c, mdev_sysfs.c): made through a type's `create`, bound to the driver
 * of their parent, removed through their own `remove`.
 * @module
 */

import type { Bus } from '../base/bus.js';
import type { DriverCore } from '../base/core.js';
import { deviceDriverAttach } from '../base/dd.js';
import { Device } from '../base/device.js';
import { Part } from '../base/part.js';
import { LinkTemplate } from '../kernfs/projection.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { Errno, KernelError } from '../lib/errno.js';
import { delayed, struck } from '../lib/fault.js';
import { kstrtoull } from '../lib/kstrtox.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { MdevParent } from './parent.js';
import type { MdevType } from './type.js';

const mdevGroups = [
  new AttributeGroup<MdevDevice>({ attributes: [{ name: 'remove', mode: 0o200, store: removeStore }] }),
];

const typePart = [new LinkTemplate<MdevDevice>({ mdev_type: (mdev) => mdev.mdevType.dir })];

export class MdevDevice extends Device {
  constructor(
    readonly mdevType: MdevType,
    readonly uuid: string,
  ) {
    super();
  }

  get core(): DriverCore {
    return this.mdevType.parent.mdev.core;
  }

  get name(): string {
    return this.uuid;
  }

  override get parent(): Device {
    return this.mdevType.parent.device;
  }

  override get bus(): Bus {
    return this.mdevType.parent.mdev.bus;
  }

  override get groups(): readonly KernfsTemplate[] {
    return mdevGroups;
  }

  /** Whether the device is complete: neither still being made nor already being removed. */
  get active(): boolean {
    return this.shows(Part.Own);
  }

  protected override templatesOf(part: number): readonly KernfsTemplate[] {
    return part === Part.Own ? typePart : super.templatesOf(part);
  }
}

/**
 * Makes a device of a type and binds it to the parent's driver (`mdev_device_create`).
 * @param uuid in lower case
 * @throws EEXIST when any parent has a device of that UUID, also one that is still being removed
 * @throws EUSERS when the parent has no instance left and the core does the counting
 * @throws ENODEV when the parent is being unregistered
 * @throws what the driver's probe throws; the device was visible for a moment then
 */
export function mdevDeviceCreate(type: MdevType, uuid: string): Sleeps<void> {
  const { parent } = type;
  if (parent.mdev.find(uuid)) throw new KernelError(Errno.EEXIST);
  parent.takeInstance();
  const mdev = new MdevDevice(type, uuid);
  try {
    if (parent.unregistering) throw new KernelError(Errno.ENODEV);
    mdev.add();
  } catch (error) {
    parent.giveInstance();
    throw error;
  }
  const undo = (error: unknown): Sleeps<never> =>
    after(leave(mdev), () => {
      throw error;
    });
  const finish = () => {
    type.addDevice(mdev);
    mdev.showPart(Part.Own);
  };
  try {
    const attached = deviceDriverAttach(parent.registeredDriver, mdev);
    return attached ? creating(parent, attached.then(finish, undo)) : finish();
  } catch (error) {
    return undo(error);
  }
}

function creating(parent: MdevParent, created: Promise<void>): Promise<void> {
  parent.creating.add(created);
  return created.finally(() => parent.creating.delete(created));
}

/**
 * Removes a device (`mdev_device_remove`); sleeps while its driver waits for users.
 * @throws ENODEV when it is gone, or its parent is going
 * @throws EAGAIN while it is still being made or already being removed
 */
export function mdevDeviceRemove(mdev: MdevDevice): Sleeps<void> {
  const { parent } = mdev.mdevType;
  if (parent.mdev.find(mdev.uuid) !== mdev) throw new KernelError(Errno.ENODEV);
  if (!mdev.active) throw new KernelError(Errno.EAGAIN);
  if (parent.unregistering) throw new KernelError(Errno.ENODEV);
  return mdevDeviceRemoveCommon(mdev);
}

/** The removal itself, also used when the parent takes its devices with it. */
export function mdevDeviceRemoveCommon(mdev: MdevDevice): Sleeps<void> {
  mdev.hidePart(Part.Own);
  mdev.mdevType.removeDevice(mdev);
  return leave(mdev);
}

/** Deletes the device. When the last reference is gone, its UUID and its instance are free again. */
function leave(mdev: MdevDevice): Sleeps<void> {
  const { parent } = mdev.mdevType;
  const { leaving } = parent.mdev;
  leaving.set(mdev.uuid, mdev);
  return after(mdev.del(), () => {
    leaving.delete(mdev.uuid);
    parent.giveInstance();
  });
}

/**
 * Removes the device when the text is a number other than 0. The file takes itself out first, so that of two writers
 * one removes the device.
 * @throws EINVAL when the text is no number; the errno of a fault
 */
function removeStore(mdev: MdevDevice, text: string): Sleeps<void> {
  let value: bigint;
  try {
    value = kstrtoull(text);
  } catch {
    throw new KernelError(Errno.EINVAL);
  }
  if (value === 0n) return;
  // In this kernel no driver can refuse. In older ones its remove could, and the file stayed with the device.
  const fault = mdev.driver && mdev.core.faults?.remove(mdev);
  if (fault?.errno !== undefined) return struck(fault, () => {});
  mdev.dir.hide('remove');
  return after(delayed(fault), () => mdevDeviceRemove(mdev));
}
