/**
 * vfio_ap: cryptographic adapters of s390 for guests (drivers/s390/crypto/vfio_ap_drv.c): a bus `matrix` with one
 * device, which is the parent, and the driver of the devices made there.
 * @module
 */

import { Bus } from '../base/bus.js';
import { DeviceDriver } from '../base/driver.js';
import type { Module, ModuleDefinition } from '../base/module.js';
import { NamedDevice } from '../base/named-device.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { mdevModule } from '../mdev/core.js';
import {
  type MdevDriver,
  mdevRegisterDriver,
  mdevUnregisterDriver,
  type RegisteredMdevDriver,
} from '../mdev/driver.js';
import { type MdevParent, mdevRegisterParent, mdevUnregisterParent } from '../mdev/parent.js';
import { MdevType } from '../mdev/type.js';
import { AttributeGroup } from '../sysfs/group.js';
import { type VfioCore, vfioModule } from '../vfio/core.js';
import { ApConfig, type ApData } from './ap-config.js';
import { formatApMask } from './ap-mask.js';
import { vfioApAttributes } from './vfio-ap-attribute.js';
import { MatrixMdev, vfioApOps } from './vfio-ap-device.js';
import { Matrices } from './vfio-ap-matrix.js';

/** An entry for each queue that there can be. */
const MAX_INSTANCES = 65536;

const featureGroup = new AttributeGroup<NamedDevice>({
  attributes: [
    {
      name: 'features',
      mode: 0o444,
      constant: true,
      show: () => 'guest_matrix hotplug ap_config migratable\n',
    },
  ],
});

function mdevDriver(vfio: VfioCore, matrices: Matrices): MdevDriver {
  const devices = new Set<MatrixMdev>();
  const ops = vfioApOps(devices);
  return {
    name: 'vfio_ap_mdev',
    deviceApi: 'vfio-ap',
    maxInstances: MAX_INSTANCES,
    written(mdev) {
      const { apm, aqm, adm } = (mdev.driverData as MatrixMdev).matrix.masks;
      const isEmpty = apm === 0n && aqm === 0n && adm === 0n;
      return isEmpty ? {} : { ap_config: [apm, aqm, adm].map(formatApMask).join(',') };
    },
    devGroups: [vfioApAttributes((mdev) => (mdev.driverData as MatrixMdev).matrix)],

    probe(mdev) {
      const vdev = new MatrixMdev(vfio, mdev, matrices, ops);
      vdev.registerEmulatedIommuDev();
      devices.add(vdev);
      mdev.driverData = vdev;
    },

    remove(mdev) {
      const vdev = mdev.driverData as MatrixMdev;
      return after(vdev.unregisterGroupDev(), () => {
        vdev.matrix.remove();
        devices.delete(vdev);
        vdev.put();
      });
    },
  };
}

/** The loaded module. */
class VfioAp {
  readonly #root: NamedDevice;
  readonly #bus: Bus;
  readonly #device: NamedDevice;
  readonly #driver: DeviceDriver;
  readonly #mdevDriver: RegisteredMdevDriver;
  readonly #parent: MdevParent;

  constructor(module: Module, data: ApData) {
    const { core } = module;
    this.#root = new NamedDevice(core, 'vfio_ap', {});
    this.#root.add();
    this.#bus = new Bus(core, 'matrix').register();
    this.#device = new NamedDevice(core, 'matrix', { parent: this.#root, bus: this.#bus });
    this.#device.add();
    this.#driver = new DeviceDriver(this.#bus, {
      name: 'vfio_ap',
      suppressBindAttrs: true,
      devGroups: [featureGroup],
    }).register();
    const driver = mdevDriver(module.import(vfioModule), new Matrices(new ApConfig(data)));
    this.#mdevDriver = mdevRegisterDriver(module.import(mdevModule), driver, module);
    const types = [new MdevType('passthrough', 'VFIO AP Passthrough Device')];
    this.#parent = mdevRegisterParent(this.#device, this.#mdevDriver, types);
  }

  /** Undoes the constructor; sleeps while a device is in use. */
  exit(): Sleeps<void> {
    const steps: (() => Sleeps<void>)[] = [
      () => mdevUnregisterParent(this.#parent),
      () => mdevUnregisterDriver(this.#mdevDriver),
      () => this.#driver.unregister(),
      () => this.#device.del(),
      () => this.#bus.unregister(),
      () => this.#root.del(),
    ];
    return eachInTurn(steps, (step) => step());
  }
}

/** The module, for a host with these adapters. */
export function vfioApModule(data: ApData): ModuleDefinition {
  return {
    name: 'vfio_ap',
    depends: [mdevModule, vfioModule],
    init: (module) => new VfioAp(module, data),
    exit: (loaded) => (loaded as VfioAp).exit(),
  };
}
