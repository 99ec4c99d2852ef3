/**
 * The modules that a machine can load by name.
 * @module
 */

import type { ModuleDefinition } from '../base/module.js';
import { mbochsModule } from '../drivers/mbochs.js';
import { mdpyModule } from '../drivers/mdpy.js';
import { mttyModule } from '../drivers/mtty.js';
import { iommufdModule } from '../iommu/iommufd.js';
import { kvmIntelModule, kvmModule } from '../kvm/core.js';
import { mdevModule } from '../mdev/core.js';
import { vfioModule } from '../vfio/core.js';
import { vfioIommuSpaprTceModule } from '../vfio/tce-module.js';
import { vfioIommuType1Module } from '../vfio/type1-module.js';

export const modules: readonly ModuleDefinition[] = [
  iommufdModule,
  vfioModule,
  vfioIommuType1Module,
  vfioIommuSpaprTceModule,
  mdevModule,
  mttyModule,
  mdpyModule,
  mbochsModule,
  kvmModule,
  kvmIntelModule,
];

/** Names of the modules that every machine can load. */
export const moduleNames: readonly string[] = modules.map(({ name }) => name);
