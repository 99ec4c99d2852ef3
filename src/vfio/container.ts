/**
 * VFIO containers (drivers/vfio/container.c, /dev/vfio/vfio): where groups meet an IOMMU backend.
 *
 * Modelled: attaching groups, the choice of a backend, which leaves with the last group. Mappings are not here yet:
 * a request that only a backend knows is ENOTTY.
 * @module
 */

import { CharFile, type UserPointer } from '../base/file.js';
import type { Dma, DmaUser } from '../iommu/backend.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_DMA_CC_IOMMU,
  VFIO_GET_API_VERSION,
  VFIO_SET_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1_NESTING_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
} from '../uapi/vfio.js';
import type { VfioGroupFile } from './group-file.js';

const backendTypes = [VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU];
const extensions = [VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_NESTING_IOMMU, VFIO_UNMAP_ALL];

export class VfioContainer extends CharFile {
  readonly groups = new Set<VfioGroupFile>();
  /** Type of the backend that was chosen. */
  iommuType: number | undefined;

  override ioctl(request: number, arg: UserPointer): number {
    switch (request) {
      case VFIO_GET_API_VERSION:
        return VFIO_API_VERSION;
      case VFIO_CHECK_EXTENSION:
        return this.#hasExtension(arg.value) ? 1 : 0;
      case VFIO_SET_IOMMU:
        return this.#setIommu(arg.value);
      default:
        throw new KernelError(this.iommuType === undefined ? Errno.EINVAL : Errno.ENOTTY);
    }
  }

  #hasExtension(extension: number): boolean {
    if (extension === VFIO_DMA_CC_IOMMU) return this.iommuType !== undefined;
    return extensions.includes(extension);
  }

  /**
   * @throws EINVAL without a group, or when a backend is set
   * @throws ENODEV when no backend has this type
   */
  #setIommu(type: number): number {
    if (this.groups.size === 0 || this.iommuType !== undefined) throw new KernelError(Errno.EINVAL);
    if (!backendTypes.includes(type)) throw new KernelError(Errno.ENODEV);
    this.iommuType = type;
    return 0;
  }

  attach(group: VfioGroupFile): void {
    this.groups.add(group);
  }

  registerDevice(_user: DmaUser): Dma {
    if (this.iommuType === undefined) throw new KernelError(Errno.EINVAL);
    return undefined as unknown as Dma;
  }

  unregisterDevice(_user: DmaUser): void {}

  detach(group: VfioGroupFile): void {
    this.groups.delete(group);
    if (this.groups.size === 0) this.iommuType = undefined;
  }

  protected override release(): void {}
}
