/**
 * The IOMMU backend that is none (`vfio_noiommu_ops` of drivers/vfio/container.c): containers of groups without an IOMMU
 * get it, when the module parameter enable_unsafe_noiommu_mode allows it. Nothing can be mapped in it.
 *
 * Mediated devices are not such groups; what shows of it is an extension that a container without groups reports.
 * @module
 */

import type { Module } from '../base/module.js';
import type { VfioIommu, VfioIommuDriver } from '../iommu/backend.js';
import { Errno, KernelError } from '../lib/errno.js';
import { VFIO_NOIOMMU_IOMMU } from '../uapi/vfio-iommu.js';

export class VfioNoiommuDriver implements VfioIommuDriver {
  readonly name = 'vfio-noiommu';

  constructor(readonly owner: Module) {}

  checkExtension(extension: number): number {
    return extension === VFIO_NOIOMMU_IOMMU && this.owner.parameters.get('enable_unsafe_noiommu_mode')
      ? 1
      : 0;
  }

  /** @throws EINVAL for another type, EPERM without CAP_SYS_RAWIO: no group that needs it exists, so nobody has it */
  open(type: number): VfioIommu {
    throw new KernelError(type === VFIO_NOIOMMU_IOMMU ? Errno.EPERM : Errno.EINVAL);
  }
}
