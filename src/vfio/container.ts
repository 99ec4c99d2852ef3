/**
 * VFIO containers (drivers/vfio/container.c, /dev/vfio/vfio): where groups meet an IOMMU backend. The backend is chosen
 * among those whose modules are loaded, and leaves with the last group, with all that was mapped in it.
 *
 * A container lives as long as its file is open or a group is in it.
 * @module
 */

import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import type { Dma, DmaUser, VfioIommu, VfioIommuDriver } from '../iommu/backend.js';
import type { IommuGroup } from '../iommu/group.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_GET_API_VERSION,
  VFIO_SET_IOMMU,
} from '../uapi/vfio.js';
import type { VfioCore } from './core.js';
import { VfioNoiommuDriver } from './noiommu.js';

/** What a container has of a group: its open file. */
export interface ContainerGroup {
  readonly group: { readonly owned: IommuGroup };
}

export class VfioContainer extends CharFile {
  readonly groups = new Set<ContainerGroup>();
  #driver: VfioIommuDriver | undefined;
  #iommu: VfioIommu | undefined;

  constructor(readonly vfio: VfioCore) {
    super();
    vfio.containers.add(this);
  }

  /** The backend that was chosen. */
  get iommu(): VfioIommu | undefined {
    return this.#iommu;
  }

  /** @throws EINVAL for a request that only a backend may know, while there is none; what the backend throws */
  override ioctl(request: number, arg: UserPointer, caller: Caller): number {
    switch (request) {
      case VFIO_GET_API_VERSION:
        return VFIO_API_VERSION;
      case VFIO_CHECK_EXTENSION:
        return this.#checkExtension(arg.value);
      case VFIO_SET_IOMMU:
        return this.#setIommu(arg.value);
      default:
        if (!this.#iommu) throw new KernelError(Errno.EINVAL);
        return this.#iommu.ioctl(request, arg, caller);
    }
  }

  /** Asks the backend, or while there is none every backend that it may get. */
  #checkExtension(extension: number): number {
    if (this.#iommu) return this.#iommu.checkExtension(extension);
    for (const driver of this.#drivers()) {
      if (this.groups.size > 0 && !isAllowed(driver)) continue;
      const answer = driver.checkExtension(extension);
      if (answer > 0) return answer;
    }
    return 0;
  }

  /**
   * A type is also an extension: the backends that report it are tried.
   * @throws EINVAL without a group, or when a backend is set
   * @throws ENODEV when no backend reports the type; what the last one that does fails with
   */
  #setIommu(type: number): number {
    if (this.groups.size === 0 || this.#iommu) throw new KernelError(Errno.EINVAL);
    let failure = new KernelError(Errno.ENODEV);
    for (const driver of this.#drivers()) {
      if (!isAllowed(driver) || driver.checkExtension(type) <= 0) continue;
      try {
        this.#iommu = this.#open(driver, type);
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        failure = error;
        continue;
      }
      this.#driver = driver;
      driver.owner.references++;
      return 0;
    }
    throw failure;
  }

  #open(driver: VfioIommuDriver, type: number): VfioIommu {
    const iommu = driver.open(type);
    try {
      for (const { group } of this.groups) iommu.attachGroup(group.owned);
    } catch (error) {
      iommu.release();
      throw error;
    }
    return iommu;
  }

  /** Backends, the one that came last first. */
  #drivers(): VfioIommuDriver[] {
    return [...this.vfio.iommuDrivers].filter(({ owner }) => owner.state === 'live').reverse();
  }

  /** @throws what the backend throws */
  attach(group: ContainerGroup): void {
    this.#iommu?.attachGroup(group.group.owned);
    this.groups.add(group);
    this.get();
  }

  detach(group: ContainerGroup): void {
    if (!this.groups.delete(group)) return;
    this.#iommu?.detachGroup(group.group.owned);
    if (this.groups.size === 0) this.#dropIommu();
    this.put();
  }

  #dropIommu(): void {
    this.#iommu?.release();
    this.#iommu = undefined;
    if (this.#driver) this.#driver.owner.references--;
    this.#driver = undefined;
  }

  /**
   * A device of a group was opened: from now on it does DMA through the container.
   * @throws EINVAL without a backend
   */
  registerDevice(user: DmaUser): Dma {
    if (!this.#iommu) throw new KernelError(Errno.EINVAL);
    return this.#iommu.registerDevice(user);
  }

  unregisterDevice(user: DmaUser): void {
    this.#iommu?.unregisterDevice(user);
  }

  /** Each group holds the container, so there is none left. */
  protected override release(): void {
    this.vfio.containers.delete(this);
  }
}

/** Groups without an IOMMU and those with one do not mix; all groups here are of the latter kind. */
function isAllowed(driver: VfioIommuDriver): boolean {
  return !(driver instanceof VfioNoiommuDriver);
}
