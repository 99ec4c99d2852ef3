/**
 * VFIO groups (drivers/vfio/group.c): the character device that stands for an IOMMU group while VFIO drivers own
 * devices in it. A mediated device has no IOMMU; VFIO makes it an IOMMU group of its own and names it
 * `vfio-noiommu`.
 * @module
 */

import type { Devt } from '../base/chrdev.js';
import type { DeviceClass } from '../base/class.js';
import type { DriverCore } from '../base/core.js';
import { Device } from '../base/device.js';
import { IommuGroup } from '../iommu/group.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { Roster } from '../lib/roster.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { VfioCore } from './core.js';
import type { VfioDevice } from './device.js';
import { VfioGroupFile } from './group-file.js';

/** Name of the IOMMU groups that VFIO makes. */
const NOIOMMU = 'vfio-noiommu';

export class VfioGroup extends Device {
  readonly minor: number;
  /** The one open file of the group, if there is one. */
  opened: VfioGroupFile | undefined = undefined;
  /** Devices that are bound to an iommufd through their own nodes. */
  boundDevices = 0;
  /** The devices in the group, until they are unregistered. */
  vdevs: Roster<VfioDevice> = undefined;
  /** Whether the group has lost its devices for good: not while one that was taken away is still open. */
  isDead = false;
  private minorUsers_ = 1;

  constructor(
    readonly vfio: VfioCore,
    readonly owned: IommuGroup,
  ) {
    super();
    this.minor = vfio.groupMinors.alloc();
  }

  get core(): DriverCore {
    return this.vfio.module.core;
  }

  get name(): string {
    return String(this.owned.id);
  }

  override get class(): DeviceClass {
    return this.vfio.groupClass;
  }

  override get devt(): Devt {
    return { major: this.vfio.groupMajor, minor: this.minor };
  }

  /** Opens the node. Same errors as {@link VfioGroupFile}. */
  open(): VfioGroupFile {
    const file = new VfioGroupFile(this);
    this.minorUsers_++;
    return file;
  }

  /** The minor stays taken until the group is gone and its file closed; the number of its IOMMU group does not. */
  putMinor(): void {
    if (--this.minorUsers_ === 0) this.vfio.groupMinors.free(this.minor);
  }
}

/** Gives a device without an IOMMU a group of its own, in the IOMMU core and in VFIO. */
export function vfioNoiommuGroupAlloc(vfio: VfioCore, device: Device): VfioGroup {
  const iommuGroup = vfio.iommu.allocGroup({ name: NOIOMMU });
  iommuGroup.addDevice(device);
  return groupCreate(vfio, iommuGroup);
}

/**
 * The group of a device that has an IOMMU; made for the first device of it (`vfio_group_find_or_alloc`).
 * @throws EINVAL for a device without one
 */
export function vfioGroupFindOrAlloc(vfio: VfioCore, { iommuGroup }: Device): VfioGroup {
  if (!(iommuGroup instanceof IommuGroup)) throw new KernelError(Errno.EINVAL);
  const found = vfio.groupClass.devices.get(String(iommuGroup.id)) as VfioGroup | undefined;
  return found?.owned === iommuGroup ? found : groupCreate(vfio, iommuGroup);
}

function groupCreate(vfio: VfioCore, iommuGroup: IommuGroup): VfioGroup {
  const group = new VfioGroup(vfio, iommuGroup);
  group.add();
  return group;
}

/**
 * Undoes {@link vfioNoiommuGroupAlloc} and {@link vfioGroupFindOrAlloc}: the IOMMU group that VFIO made goes first, the node
 * after it. A group with other devices stays.
 */
export function vfioDeviceRemoveGroup(group: VfioGroup, device: Device): Sleeps<void> {
  if (group.vdevs !== undefined) return;
  group.isDead = true;
  if (group.owned.name === NOIOMMU) group.owned.removeDevice(device);
  group.opened?.devicesGone();
  return after(group.del(), () => group.putMinor());
}
