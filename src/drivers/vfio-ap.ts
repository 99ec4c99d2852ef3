/**
 * vfio_ap: cryptographic adapters of s390 for guests (drivers/s390/crypto/vfio_ap_drv.c): a bus `matrix` with one
 * device, which is the parent, the driver of the devices made there, and the one of the queues that they get.
 *
 * Differs: the matrix can go and come back while the module stays, as no hardware does that.
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
import { MdevType } from '../mdev/type.js';
import { AttributeGroup } from '../sysfs/group.js';
import { type VfioCore, vfioModule } from '../vfio/core.js';
import type { ApBus } from './ap-bus.js';
import type { ApDriver } from './ap-driver.js';
import { formatApMask } from './ap-mask.js';
import { ParentSlot } from './parent-slot.js';
import { vfioApAttributes } from './vfio-ap-attribute.js';
import { MatrixMdev, vfioApOps } from './vfio-ap-device.js';
import { Matrices } from './vfio-ap-matrix.js';
import { vfioApQueueDriver } from './vfio-ap-queue.js';

/** An entry for each queue that there can be. */
const MAX_INSTANCES = 65536;
const MATRIX = 'matrix';

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
  const ops = vfioApOps(matrices);
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
      mdev.driverData = vdev;
    },

    remove(mdev) {
      const vdev = mdev.driverData as MatrixMdev;
      return after(vdev.unregisterGroupDev(), () => {
        vdev.matrix.remove();
        vdev.put();
      });
    },
  };
}

/** The loaded module. */
class VfioAp {
  readonly #root: NamedDevice;
  readonly #bus: Bus;
  readonly #driver: DeviceDriver;
  readonly #queueDriver: ApDriver;
  readonly #mdevDriver: RegisteredMdevDriver;
  readonly #slot: ParentSlot;

  constructor(
    readonly module: Module,
    ap: ApBus,
  ) {
    const { core } = module;
    this.#root = new NamedDevice(core, 'vfio_ap', {});
    this.#root.add();
    this.#bus = new Bus(core, 'matrix').register();
    const matrix = this.#addMatrix();
    this.#driver = new DeviceDriver(this.#bus, {
      name: 'vfio_ap',
      suppressBindAttrs: true,
      devGroups: [featureGroup],
    }).register();
    const matrices = new Matrices(ap.config);
    this.#queueDriver = vfioApQueueDriver(ap, matrices, module).register();
    ap.checkBindings();
    const driver = mdevDriver(module.import(vfioModule), matrices);
    this.#mdevDriver = mdevRegisterDriver(module.import(mdevModule), driver, module);
    const types = [new MdevType('passthrough', 'VFIO AP Passthrough Device')];
    this.#slot = new ParentSlot(() => this.#addMatrix(), this.#mdevDriver, types, matrix);
    core.slots.set(MATRIX, this.#slot);
  }

  #addMatrix(): NamedDevice {
    const matrix = new NamedDevice(this.module.core, MATRIX, { parent: this.#root, bus: this.#bus });
    matrix.add();
    return matrix;
  }

  /** Undoes the constructor; sleeps while a device is in use. */
  exit(): Sleeps<void> {
    this.module.core.slots.delete(MATRIX);
    const steps: (() => Sleeps<void>)[] = [
      () => this.#slot.unplug(),
      () => mdevUnregisterDriver(this.#mdevDriver),
      () => this.#queueDriver.unregister(),
      () => this.#driver.unregister(),
      () => this.#bus.unregister(),
      () => this.#root.del(),
    ];
    return eachInTurn(steps, (step) => step());
  }
}

/** The module, for a host with these adapters. */
export function vfioApModule(ap: ApBus): ModuleDefinition {
  return {
    name: 'vfio_ap',
    depends: [mdevModule, vfioModule],
    init: (module) => new VfioAp(module, ap),
    exit: (loaded) => (loaded as VfioAp).exit(),
  };
}
