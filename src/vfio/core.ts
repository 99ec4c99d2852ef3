/**
 * The VFIO core (drivers/vfio/vfio_main.c, module `vfio`): its two classes, the container node, and the allocators of
 * everything that VFIO numbers: group minors, device indexes and their minors, each the lowest free number.
 * @module
 */

import { DeviceClass } from '../base/class.js';
import type { Device } from '../base/device.js';
import { type Misc, miscBuiltin } from '../base/misc.js';
import type { Module, ModuleDefinition } from '../base/module.js';
import type { KernelProfile } from '../base/profile.js';
import type { VfioIommuDriver } from '../iommu/backend.js';
import { type Iommu, iommuBuiltin } from '../iommu/group.js';
import { iommufdModule } from '../iommu/iommufd.js';
import { Ida } from '../lib/ida.js';
import type { Sleeps } from '../lib/sleep.js';
import { VfioContainer } from './container.js';
import { VfioDebugfs } from './debugfs.js';
import type { VfioDevice } from './device.js';
import { VfioDeviceFile } from './device-file.js';
import type { VfioGroup } from './group.js';
import { VfioNoiommuDriver } from './noiommu.js';

const VFIO_MINOR = 196;

export class VfioCore {
  readonly iommu: Iommu;
  readonly groupClass: DeviceClass;
  readonly deviceClass: DeviceClass;
  readonly groupMajor: number;
  readonly deviceMajor: number;
  readonly groupMinors = new Ida();
  /** Indexes N of vfioN; the minor of a device's node is its index. */
  readonly deviceIndexes = new Ida();
  readonly debugfs: VfioDebugfs | undefined;
  readonly #misc: Misc;
  readonly #container: Device;
  #devices = 0;
  /** Containers that are open, or that a group is in. */
  readonly containers = new Set<VfioContainer>();
  /** IOMMU backends that containers choose from, in the order of their registration. */
  readonly iommuDrivers = new Set<VfioIommuDriver>();

  constructor(readonly module: Module) {
    const { core } = module;
    if (core.profile.vfioNoiommu) this.iommuDrivers.add(new VfioNoiommuDriver(module));
    this.iommu = module.import(iommuBuiltin);
    this.#misc = module.import(miscBuiltin);
    this.#container = this.#misc.register({
      name: 'vfio',
      minor: VFIO_MINOR,
      nodename: 'vfio/vfio',
      mode: 0o666,
      open: () => new VfioContainer(this),
    });
    this.groupClass = new DeviceClass(core, 'vfio', {
      devnode: (device) => ({ name: `vfio/${device.name}` }),
      open: (device) => (device as VfioGroup).open(),
    });
    this.groupClass.register();
    this.groupMajor = core.chrdevs.allocMajor('vfio');
    this.deviceClass = new DeviceClass(core, 'vfio-dev', {
      devnode: (device) => ({ name: `vfio/devices/${device.name}` }),
      open: (device) => new VfioDeviceFile(device as VfioDevice),
    }).register();
    this.deviceMajor = core.chrdevs.allocMajor('vfio-dev');
    this.debugfs = core.profile.vfioDebugfs ? new VfioDebugfs(core.debugfs) : undefined;
  }

  get profile(): KernelProfile {
    return this.module.core.profile;
  }

  /** The registered devices. */
  get devices(): Iterable<VfioDevice> {
    return this.deviceClass.devices.values() as Iterable<VfioDevice>;
  }

  exit(): Sleeps<void> {
    const { core } = this.module;
    this.debugfs?.removeAll();
    core.chrdevs.freeMajor(this.deviceMajor);
    this.deviceClass.unregister();
    core.chrdevs.freeMajor(this.groupMajor);
    this.groupClass.unregister();
    return this.#misc.deregister(this.#container);
  }

  /** A device index. The first device pins VFIO's pseudo file system, and with it the module. */
  allocDeviceIndex(): number {
    const index = this.deviceIndexes.alloc();
    if (this.#devices++ === 0) this.module.references++;
    return index;
  }

  freeDeviceIndex(index: number): void {
    this.deviceIndexes.free(index);
    if (--this.#devices === 0) this.module.references--;
  }
}

export const vfioModule: ModuleDefinition<VfioCore> = {
  name: 'vfio',
  depends: (profile) => (profile.iommufd ? [iommufdModule] : []),
  parameters: (profile) =>
    profile.vfioNoiommu
      ? [{ name: 'enable_unsafe_noiommu_mode', type: 'bool', mode: 0o644, initial: false }]
      : [],
  init: (module) => new VfioCore(module),
  exit: (vfio) => vfio.exit(),
};
