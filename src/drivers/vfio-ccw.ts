/**
 * vfio_ccw: subchannels of s390 for guests (drivers/s390/cio/vfio_ccw_drv.c): a driver on the css bus that makes each
 * of its subchannels a parent with room for one device.
 * @module
 */

import { DeviceDriver } from '../base/driver.js';
import type { Module, ModuleDefinition } from '../base/module.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { mdevModule } from '../mdev/core.js';
import {
  type MdevDriver,
  mdevRegisterDriver,
  mdevUnregisterDriver,
  type RegisteredMdevDriver,
} from '../mdev/driver.js';
import { type MdevParent, mdevRegisterParent, mdevUnregisterParent } from '../mdev/parent.js';
import { MdevType } from '../mdev/type.js';
import { type VfioCore, vfioModule } from '../vfio/core.js';
import { VfioDevice } from '../vfio/device.js';
import type { VfioDeviceOps } from '../vfio/device-ops.js';
import type { ChannelSubsystem, Subchannel } from './css.js';
import { CcwDevice } from './vfio-ccw-device.js';

/** A device; what is behind it comes into being when somebody uses it. */
class Ccw extends VfioDevice {
  used: CcwDevice | undefined = undefined;
}

function behind(vdev: VfioDevice): CcwDevice {
  const ccw = vdev as Ccw;
  ccw.used ??= new CcwDevice(vdev.device.parent as Subchannel);
  return ccw.used;
}

const ops: VfioDeviceOps = {
  name: 'vfio_ccw_mdev',
  closeDevice(vdev) {
    const ccw = vdev as Ccw;
    ccw.used?.close();
    ccw.used = undefined;
  },
  ioctl: (vdev, request, arg, caller) => behind(vdev).ioctl(request, arg, caller),
  read: (vdev, length, offset) => behind(vdev).read(length, offset),
  write: (vdev, bytes, offset) => behind(vdev).write(bytes, offset),
  request: (vdev) => (vdev as Ccw).used?.request(),
  // Channel programs are not run, so nothing of them is pinned.
  dmaUnmap() {},
};

function mdevDriver(vfio: VfioCore): MdevDriver {
  return {
    name: 'vfio_ccw_mdev',
    deviceApi: 'vfio-ccw',
    maxInstances: 1,

    probe(mdev) {
      const vdev = new Ccw(vfio, mdev, ops);
      vdev.registerEmulatedIommuDev();
      mdev.driverData = vdev;
    },

    remove(mdev) {
      const vdev = mdev.driverData as VfioDevice;
      return after(vdev.unregisterGroupDev(), () => vdev.put());
    },
  };
}

/** The loaded module. */
class VfioCcw {
  readonly #mdevDriver: RegisteredMdevDriver;
  readonly #driver: DeviceDriver;

  constructor(module: Module, css: ChannelSubsystem) {
    const driver = mdevDriver(module.import(vfioModule));
    this.#mdevDriver = mdevRegisterDriver(module.import(mdevModule), driver, module);
    this.#driver = new DeviceDriver(css.bus, {
      name: 'vfio_ccw',
      module,
      /** @throws ENODEV for a subchannel with a QDIO device */
      probe: (device) => {
        if ((device as Subchannel).data.qdio) throw new KernelError(Errno.ENODEV);
        const types = [new MdevType('io', 'I/O subchannel (Non-QDIO)')];
        device.driverData = mdevRegisterParent(device, this.#mdevDriver, types);
      },
      remove: (device) => mdevUnregisterParent(device.driverData as MdevParent),
    });
    this.#driver.register();
  }

  /** Undoes the constructor; sleeps while a device is in use. */
  exit(): Sleeps<void> {
    return after(this.#driver.unregister(), () => mdevUnregisterDriver(this.#mdevDriver));
  }
}

/** The module, for a host with these subchannels. */
export function vfioCcwModule(css: ChannelSubsystem): ModuleDefinition {
  return {
    name: 'vfio_ccw',
    depends: [mdevModule, vfioModule],
    init: (module) => new VfioCcw(module, css),
    exit: (loaded) => (loaded as VfioCcw).exit(),
  };
}
