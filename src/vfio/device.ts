/**
 * VFIO devices (drivers/vfio/vfio_main.c): what a vendor driver registers to have its device opened by user space.
 *
 * Modelled: the vfio-dev class device and its number, the group, opening by the first and closing by the last user, and
 * an unregistration that waits for all of them. What user space does with an open device is in device-file.ts.
 * @module
 */

import type { Devt } from '../base/chrdev.js';
import type { DeviceClass } from '../base/class.js';
import type { DriverCore } from '../base/core.js';
import { Device } from '../base/device.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { CharFile } from '../base/file.js';
import type { Module } from '../base/module.js';
import type { Dma, DmaUser, PinnedPage } from '../iommu/backend.js';
import type { IommufdAccess } from '../iommu/iommufd-access.js';
import type { IommufdCtx } from '../iommu/iommufd-ctx.js';
import { Errno, KernelError } from '../lib/errno.js';
import { rosterWith, rosterWithout } from '../lib/roster.js';
import type { VfioCore } from './core.js';
import type { VfioDeviceOps } from './device-ops.js';
import {
  type VfioGroup,
  vfioDeviceRemoveGroup,
  vfioGroupFindOrAlloc,
  vfioNoiommuGroupAlloc,
} from './group.js';

/** VFIO_PIN_PAGES_MAX_ENTRIES */
const MAX_PIN_PAGES = 512;

/** Milliseconds between two requests to user space to let go. */
const REQUEST_INTERVAL = 10_000;

/** How a device that is opened gets at user memory, and what gives that back. */
export interface DmaGrant {
  dma: Dma;
  /** The binding to an iommufd, for a device opened that way. */
  access?: IommufdAccess;
  end(): void;
}

interface Opened {
  /** How often the device is open. */
  count: number;
  readonly kvm: CharFile | undefined;
  readonly module: Module | undefined;
  readonly grant: DmaGrant;
}

/** A VFIO device is a device itself: the entry in the vfio-dev class, below the device that the driver was bound to. */
export class VfioDevice extends Device implements DmaUser {
  readonly index: number;
  /** What there is only while somebody has the device open. */
  private opened_: Opened | undefined = undefined;
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

  /** Files that are open on the device. */
  get users(): number {
    return this.users_;
  }

  get openCount(): number {
    return this.opened_?.count ?? 0;
  }

  /** The VM that the device's file or its group was added to, from before openDevice on. */
  get kvm(): CharFile | undefined {
    return this.opened_?.kvm;
  }

  /** The binding to an iommufd. */
  get access(): IommufdAccess | undefined {
    return this.opened_?.grant.access;
  }

  get group(): VfioGroup {
    return this.group_!;
  }

  /**
   * One more user. The first one gets the device going (`vfio_df_device_first_open`).
   * @param grant how the device gets at user memory
   * @throws what `grant` and the driver's openDevice throw
   */
  open(kvm: CharFile | undefined, grant: () => DmaGrant): void {
    if (this.opened_) {
      this.opened_.count++;
      return;
    }
    const { module } = this.device.driver?.options ?? {};
    const opened = { count: 1, kvm, module, grant: grant() };
    this.opened_ = opened;
    // The VM lives at least as long as the device is open.
    kvm?.get();
    try {
      this.ops.openDevice?.(this);
    } catch (error) {
      this.opened_ = undefined;
      opened.grant.end();
      kvm?.put();
      throw error;
    }
    if (module) module.references++;
  }

  /**
   * Binds the device to an iommufd (`vfio_iommufd_emulated_bind`).
   * @param compat also attach it to the IOAS that stands for a container
   */
  bindIommufd(iommufd: IommufdCtx, compat = false): DmaGrant {
    const access = iommufd.bind(this);
    try {
      if (compat) access.attach(iommufd.compatIoasId);
    } catch (error) {
      access.unbind();
      throw error;
    }
    return { dma: access, access, end: () => access.unbind() };
  }

  /**
   * Keeps the group from being opened while the device's own node is bound (`vfio_device_block_group`).
   * @throws EBUSY while the group is open
   */
  blockGroup(): void {
    if (this.group.opened) throw new KernelError(Errno.EBUSY);
    this.group.boundDevices++;
  }

  unblockGroup(): void {
    this.group.boundDevices--;
  }

  /** One user less (`vfio_df_device_last_close`). */
  close(): void {
    const opened = this.opened_!;
    if (--opened.count > 0) return;
    this.ops.closeDevice?.(this);
    this.opened_ = undefined;
    opened.grant.end();
    opened.kvm?.put();
    if (opened.module) opened.module.references--;
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
   * @throws E2BIG for more than 512 through a container; what the IOMMU says
   */
  pinPages(iova: bigint, count: number, prot: number): PinnedPage[] {
    if (count <= 0 || !this.opened_ || !this.ops.dmaUnmap) throw new KernelError(Errno.EINVAL);
    if (!this.access && count > MAX_PIN_PAGES) throw new KernelError(Errno.E2BIG);
    return this.opened_.grant.dma.pinPages(iova, count, prot);
  }

  /** Undoes {@link pinPages} (`vfio_unpin_pages`). */
  unpinPages(iova: bigint, count: number): void {
    this.opened_?.grant.dma.unpinPages(iova, count);
  }

  /**
   * Reads user memory by its IOVA (`vfio_dma_rw`).
   * @throws EINVAL when nobody has the device open; what the IOMMU says
   */
  dmaRead(iova: bigint, length: number, target?: Buffer): Buffer {
    return this.dma_.dmaRead(iova, length, target);
  }

  /** Same errors as {@link dmaRead}. */
  dmaWrite(iova: bigint, bytes: Uint8Array): void {
    this.dma_.dmaWrite(iova, bytes);
  }

  private get dma_(): Dma {
    if (!this.opened_) throw new KernelError(Errno.EINVAL);
    return this.opened_.grant.dma;
  }

  /** Frees what the constructor took (`vfio_put_device`). */
  put(): void {
    this.ops.release?.(this);
    this.vfio.freeDeviceIndex(this.index);
  }

  /** Makes the device known to user space (`vfio_register_emulated_iommu_dev`). */
  registerEmulatedIommuDev(): void {
    this.register_(vfioNoiommuGroupAlloc(this.vfio, this.device));
  }

  /**
   * The same for a device that has an IOMMU (`vfio_register_group_dev`).
   * @throws EINVAL when it has none
   */
  registerGroupDev(): void {
    this.register_(vfioGroupFindOrAlloc(this.vfio, this.device));
  }

  private register_(group: VfioGroup): void {
    this.group_ = group;
    group.vdevs = rosterWith(group.vdevs, this);
    this.add();
    this.vfio.debugfs?.add(this.device.name, this);
  }

  /**
   * Takes the device from user space (`vfio_unregister_group_dev`): nobody can open it any more at once; then it
   * waits for those that have it open.
   */
  unregisterGroupDev(): Sleeps<void> {
    const group = this.group_!;
    group.vdevs = rosterWithout(group.vdevs, this.name);
    return after(this.del(), () =>
      after(this.waitForUsers_(), () => {
        this.vfio.debugfs?.remove(this.device.name);
        return vfioDeviceRemoveGroup(group, this.device);
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

  /** Asks user space to let go, at once and every ten seconds, until it has. */
  private waitForUsers_(): Sleeps<void> {
    if (this.users_ === 0) return;
    let asked = 0;
    const ask = (): void => this.ops.request?.(this, asked++);
    ask();
    const stop = this.ops.request && this.core.clock.every(REQUEST_INTERVAL, ask);
    return new Promise((resolve) => {
      this.idle_ = () => {
        stop?.();
        resolve();
      };
    });
  }
}
