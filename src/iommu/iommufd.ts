/**
 * The iommufd module (drivers/iommu/iommufd/main.c): the node /dev/iommu, and what is open of it.
 * @module
 */

import type { Device } from '../base/device.js';
import { miscBuiltin } from '../base/misc.js';
import type { Module, ModuleDefinition } from '../base/module.js';
import type { Sleeps } from '../lib/sleep.js';
import { IommufdCtx } from './iommufd-ctx.js';

const IOMMU_MINOR = 258;

export class Iommufd {
  /** Everything that is open, oldest first. */
  readonly contexts = new Set<IommufdCtx>();
  readonly #device: Device;

  constructor(readonly module: Module) {
    this.#device = module.import(miscBuiltin).register({
      name: 'iommu',
      minor: IOMMU_MINOR,
      nodename: 'iommu',
      mode: 0o660,
      open: () => this.#open(),
    });
  }

  /** An open file keeps the module loaded. */
  #open(): IommufdCtx {
    const { module } = this;
    const ctx = new IommufdCtx({
      noiommu: module.core.profile.vfioNoiommu,
      released: () => {
        this.contexts.delete(ctx);
        module.references--;
      },
    });
    this.contexts.add(ctx);
    module.references++;
    return ctx;
  }

  exit(): Sleeps<void> {
    return this.module.import(miscBuiltin).deregister(this.#device);
  }
}

export const iommufdModule: ModuleDefinition<Iommufd> = {
  name: 'iommufd',
  parameters: [{ name: 'allow_unsafe_interrupts', type: 'bool', mode: 0o644, initial: false }],
  init: (module) => new Iommufd(module),
  exit: (iommufd) => iommufd.exit(),
};
