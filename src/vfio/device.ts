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
import { after, type Sleeps } from '../lib/sleep.js';
import type { Dma, DmaUser, PinnedPage } from '../iommu/backend.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { VfioCore } from './core.js';
import type { VfioDeviceOps } from './device-ops.js';
import { type VfioGroup, vfioDeviceRemoveGroup, vfioNoiommuGroupAlloc } from './group.js';

/** VFIO_PIN_PAGES_MAX_ENTRIES */
const MAX_PIN_PAGES = 512;

/** A VFIO device is a device itself: the entry in the vfio-dev class, below the device that the driver was bound to. */
export class VfioDevice extends Device implements DmaUser {
  readonly index: number;
  /** What the device does DMA through, while it is open. */
  dma: Dma | undefined = undefined;
  /** The VM that holds the device's file or its group, as drivers see it that need one. */
  kvm: object | undefined = undefined;
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

  /** As the IOMMU sees it: a driver that cannot unpin cannot pin. */
  get dmaUnmap(): DmaUser['dmaUnmap'] {
    const { ops } = this;
    return ops.dmaUnmap && ((iova, length) => ops.dmaUnmap!(this, iova, length));
  }

  /**
   * Pins pages of user memory, all or none (`vfio_pin_pages`).
   * @param iova multiple of the page size
   * @param prot IOMMU_READ 1, IOMMU_WRITE 2
   * @throws EINVAL for no pages, for a driver without dmaUnmap, for a device that nobody has open
   * @throws E2BIG for more than 512; what the IOMMU says
   */
  pinPages(iova: bigint, count: number, prot: number): PinnedPage[] {
    if (count <= 0 || !this.dma || !this.ops.dmaUnmap) throw new KernelError(Errno.EINVAL);
    if (count > MAX_PIN_PAGES) throw new KernelError(Errno.E2BIG);
    return this.dma.pinPages(iova, count, prot);
  }

  /** Undoes {@link pinPages} (`vfio_unpin_pages`). */
  unpinPages(iova: bigint, count: number): void {
    this.dma?.unpinPages(iova, count);
  }

  /**
   * Reads user memory by its IOVA (`vfio_dma_rw`).
   * @throws EINVAL when nobody has the device open; what the IOMMU says
   */
  dmaRead(iova: bigint, length: number): Buffer {
    if (!this.dma) throw new KernelError(Errno.EINVAL);
    return this.dma.dmaRead(iova, length);
  }

  /** Same errors as {@link dmaRead}. */
  dmaWrite(iova: bigint, bytes: Uint8Array): void {
    if (!this.dma) throw new KernelError(Errno.EINVAL);
    this.dma.dmaWrite(iova, bytes);
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
