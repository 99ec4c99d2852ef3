/**
 * VFIO devices (drivers/vfio/vfio_main.c): what a vendor driver registers to have its device opened by user space.
 *
 * Modelled: the vfio-dev class device and its number, the group, and an unregistration that waits for the last
 * user. The user API on top (open, ioctl, read, write, mmap) is not here yet.
 * @module
 */

import type { Devt } from '../base/chrdev.js';
import type { DeviceClass } from '../base/class.js';
import type { DriverCore } from '../base/core.js';
import { Device } from '../base/device.js';
import type { UserPointer } from '../base/file.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { VfioCore } from './core.js';
import { type VfioGroup, vfioDeviceRemoveGroup, vfioNoiommuGroupAlloc } from './group.js';

/** What a vendor driver does for its device (`struct vfio_device_ops`). */
export interface VfioDeviceOps {
  readonly name: string;
  /** Claims what the device needs. Throws the errno with which creating it fails. */
  init?(vdev: VfioDevice): void;
  /** Gives back what {@link init} claimed. */
  release?(vdev: VfioDevice): void;
  /**
   * Answers a request on the open device.
   * @throws ENOTTY for one that the device does not know
   */
  ioctl?(vdev: VfioDevice, request: number, arg: UserPointer): number;
  /** Name of the current migration state; a device without one has no migration. */
  migrationState?(vdev: VfioDevice): string;
}

/** A VFIO device is a device itself: the entry in the vfio-dev class, below the device that the driver was bound to. */
export class VfioDevice extends Device {
  readonly index: number;
  private group_: VfioGroup | undefined = undefined;
  private users_ = 0;
  private idle_: (() => void) | undefined = undefined;

  /**
   * Allocates a VFIO device (`vfio_alloc_device`).
   * @param device the device that the vendor driver was bound to
   * @throws what the driver's init throws
   */
  constructor(
    readonly vfio: VfioCore,
    readonly device: Device,
    readonly ops: VfioDeviceOps,
  ) {
    super();
    this.index = vfio.allocDeviceIndex();
    try {
      ops.init?.(this);
    } catch (error) {
      vfio.freeDeviceIndex(this.index);
      throw error;
    }
  }

  get core(): DriverCore {
    return this.vfio.module.core;
  }

  get name(): string {
    return `vfio${this.index}`;
  }

  override get parent(): Device {
    return this.device;
  }

  override get class(): DeviceClass {
    return this.vfio.deviceClass;
  }

  override get devt(): Devt | undefined {
    const { vfio, index } = this;
    return vfio.profile.vfioDeviceCdev ? { major: vfio.deviceMajor, minor: index } : undefined;
  }

  /** Frees what the constructor took (`vfio_put_device`). */
  put(): void {
    this.ops.release?.(this);
    this.vfio.freeDeviceIndex(this.index);
  }

  /** Makes the device known to user space (`vfio_register_emulated_iommu_dev`). */
  registerEmulatedIommuDev(): void {
    const { vfio, device } = this;
    this.group_ = vfioNoiommuGroupAlloc(vfio, device);
    this.group_.vdev = this;
    this.add();
    vfio.debugfs?.add(device.name, this);
  }

  /**
   * Takes the device from user space (`vfio_unregister_group_dev`): nobody can open it any more at once; then it
   * waits for those that have it open.
   */
  unregisterGroupDev(): Sleeps<void> {
    this.group_!.vdev = undefined;
    return after(this.del(), () =>
      after(this.waitForUsers_(), () => {
        this.vfio.debugfs?.remove(this.device.name);
        return vfioDeviceRemoveGroup(this.group_!, this.device);
      }),
    );
  }

  /** Takes a reference for an open file (`vfio_device_try_get_registration`). */
  tryGet(): boolean {
    if (!this.inSysfs) return false;
    this.users_++;
    return true;
  }

  /** Gives it back; the last one lets an unregistration go on. */
  putRegistration(): void {
    if (--this.users_ === 0) this.idle_?.();
  }

  private waitForUsers_(): Sleeps<void> {
    if (this.users_ === 0) return;
    return new Promise((resolve) => {
      this.idle_ = resolve;
    });
  }
}
