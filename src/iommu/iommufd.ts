/**
 * The iommufd module (drivers/iommu/iommufd/): for now its device node; its objects come with the VFIO user API.
 * @module
 */

import type { Device } from '../base/device.js';
import { miscBuiltin } from '../base/misc.js';
import type { ModuleDefinition } from '../base/module.js';

const IOMMU_MINOR = 258;

export const iommufdModule: ModuleDefinition<Device> = {
  name: 'iommufd',
  parameters: [{ name: 'allow_unsafe_interrupts', type: 'bool', mode: 0o644, initial: false }],
  init: (module) =>
    module
      .import(miscBuiltin)
      .register({ name: 'iommu', minor: IOMMU_MINOR, nodename: 'iommu', mode: 0o660 }),
  exit: (device, module) => module.import(miscBuiltin).deregister(device),
};
