/**
 * Functions of a host that VFIO has (drivers/vfio/pci/vfio_pci_core.c), as far as a tree shows it: the group's node, the
 * VFIO device below the function, the references of modules.
 *
 * Differs: nothing is behind them, so opening one is EIO, as of hardware that does not come up. A group is viable also
 * while a driver of the host has another function of it.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { PciDevice } from '../pci/device.js';
import type { VfioCore } from '../vfio/core.js';
import { VfioDevice } from '../vfio/device.js';
import type { VfioDeviceOps } from '../vfio/device-ops.js';

/** Numbers that a function asks for. */
export interface VfioNumbers {
  vfioGroup?: number | undefined;
  vfioDevice?: number | undefined;
}

const ops: VfioDeviceOps = {
  name: 'vfio-pci',
  openDevice() {
    throw new KernelError(Errno.EIO);
  },
};

/** @throws EINVAL for a bridge, and for a function without an IOMMU group */
export function registerWithVfio(
  vfio: VfioCore,
  device: PciDevice,
  { vfioGroup, vfioDevice }: VfioNumbers,
): VfioDevice {
  if (device.function.config.isBridge) throw new KernelError(Errno.EINVAL);
  vfio.deviceIndexes.wish = vfioDevice;
  const vdev = new VfioDevice(vfio, device, ops);
  vfio.groupMinors.wish = vfioGroup;
  try {
    vdev.registerGroupDev();
  } catch (error) {
    vdev.put();
    throw error;
  } finally {
    vfio.groupMinors.wish = undefined;
  }
  return vdev;
}

/** Undoes {@link registerWithVfio}; sleeps while the device is in use. */
export function unregisterFromVfio(vdev: VfioDevice): Sleeps<void> {
  return after(vdev.unregisterGroupDev(), () => vdev.put());
}
