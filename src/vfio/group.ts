/**
 * VFIO groups (drivers/vfio/group.c): the character device that stands for an IOMMU group while VFIO drivers own
 * devices in it. A mediated device has no IOMMU; VFIO makes it an IOMMU group of its own and names it
 * `vfio-noiommu`.
 * @module
 */

import { Device } from '../base/device.js';
import type { IommuGroup } from '../iommu/group.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { VfioCore } from './core.js';

export class VfioGroup extends Device {
  readonly minor: number;

  constructor(
    readonly vfio: VfioCore,
    readonly owned: IommuGroup,
  ) {
    const minor = vfio.groupMinors.alloc();
    super(vfio.module.core, String(owned.id), {
      class: vfio.groupClass,
      devt: { major: vfio.groupMajor, minor },
    });
    this.minor = minor;
  }
}

/** Gives a device without an IOMMU a group of its own, in the IOMMU core and in VFIO. */
export function vfioNoiommuGroupAlloc(vfio: VfioCore, device: Device): VfioGroup {
  const iommuGroup = vfio.iommu.allocGroup({ name: 'vfio-noiommu' });
  iommuGroup.addDevice(device);
  const group = new VfioGroup(vfio, iommuGroup);
  group.add();
  return group;
}

/** Undoes {@link vfioNoiommuGroupAlloc}: the IOMMU group goes first, the node after it. */
export function vfioDeviceRemoveGroup(group: VfioGroup, device: Device): Sleeps<void> {
  group.owned.removeDevice(device);
  return after(group.del(), () => group.vfio.groupMinors.free(group.minor));
}
