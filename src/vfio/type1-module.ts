/**
 * The module `vfio_iommu_type1`, which offers the type1 backend to containers.
 * @module
 */

import type { Module, ModuleDefinition } from '../base/module.js';
import type { VfioIommuDriver } from '../iommu/backend.js';
import { Type1Iommu } from '../iommu/type1.js';
import { type1CheckExtension } from '../iommu/type1-ioctl.js';
import { vfioModule } from './core.js';

function type1Driver(module: Module): VfioIommuDriver {
  return {
    name: 'vfio-iommu-type1',
    owner: module,
    checkExtension: (extension) => type1CheckExtension(extension),
    open: (type) => new Type1Iommu(type, module.parameters.number('dma_entry_limit'), module.core.log),
  };
}

export const vfioIommuType1Module: ModuleDefinition<VfioIommuDriver> = {
  name: 'vfio_iommu_type1',
  depends: [vfioModule],
  parameters: [
    { name: 'allow_unsafe_interrupts', type: 'bool', mode: 0o644, initial: false },
    { name: 'disable_hugepages', type: 'bool', mode: 0o644, initial: false },
    { name: 'dma_entry_limit', type: 'uint', mode: 0o644, initial: 65535 },
  ],
  init(module) {
    const driver = type1Driver(module);
    module.import(vfioModule).iommuDrivers.add(driver);
    return driver;
  },
  exit(driver, module) {
    module.import(vfioModule).iommuDrivers.delete(driver);
  },
};
