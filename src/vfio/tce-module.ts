/**
 * The module `vfio_iommu_spapr_tce`, which offers the sPAPR TCE backend to containers of POWER machines.
 * @module
 */

import type { ModuleDefinition } from '../base/module.js';
import type { VfioIommuDriver } from '../iommu/backend.js';
import { TceIommu } from '../iommu/tce.js';
import { tceCheckExtension } from '../iommu/tce-ioctl.js';
import { Preregistrations } from '../iommu/tce-memory.js';
import { vfioModule } from './core.js';

export const vfioIommuSpaprTceModule: ModuleDefinition<VfioIommuDriver> = {
  name: 'vfio_iommu_spapr_tce',
  arch: 'ppc64le',
  depends: [vfioModule],
  init(module) {
    const preregistrations = new Preregistrations();
    const driver: VfioIommuDriver = {
      name: 'iommu-vfio-powerpc',
      owner: module,
      checkExtension: tceCheckExtension,
      open: (type) => new TceIommu(type, preregistrations, module.core.log),
    };
    module.import(vfioModule).iommuDrivers.add(driver);
    return driver;
  },
  exit(driver, module) {
    module.import(vfioModule).iommuDrivers.delete(driver);
  },
};
