/**
 * An open VFIO device (drivers/vfio/vfio_main.c): its requests go to the vendor driver.
 * @module
 */

import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { VfioDevice } from './device.js';

export class VfioDeviceFile extends CharFile {
  /** @param closed called when the last descriptor is gone and the device was given back */
  constructor(
    readonly vdev: VfioDevice,
    readonly closed: () => void,
  ) {
    super();
  }

  override ioctl(request: number, arg: UserPointer, caller: Caller): number {
    const { ioctl } = this.vdev.ops;
    if (!ioctl) throw new KernelError(Errno.ENOTTY);
    return ioctl(this.vdev, request, arg, caller);
  }

  protected override release(): void {
    this.closed();
    this.vdev.putRegistration();
  }
}
