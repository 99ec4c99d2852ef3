/**
 * mtty: a PCI card with serial ports (samples/vfio-mdev/mtty.c). The parent has 24 ports; a device of one type takes
 * one of them, of the other two. The parent, its types, and the driver of their devices.
 * @module
 */

import type { ModuleDefinition } from '../base/module.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after } from '../lib/sleep.js';
import type { MdevDevice } from '../mdev/device.js';
import type { MdevDriver } from '../mdev/driver.js';
import { MdevType } from '../mdev/type.js';
import { AttributeGroup } from '../sysfs/group.js';
import { VfioMigState } from '../uapi/vfio-feature.js';
import { VfioDevice } from '../vfio/device.js';
import type { VfioDeviceOps, VfioLogOps } from '../vfio/device-ops.js';
import { MttyDevice } from './mtty-device.js';
import { MTTY_MIGRATION_FLAGS, mttyDataSize } from './mtty-migration.js';
import { SampleParent, sampleDepends } from './sample-parent.js';

const MAX_PORTS = 24;

class MttyType extends MdevType {
  constructor(
    readonly ports: number,
    prettyName: string,
  ) {
    super(String(ports), prettyName);
  }
}

const vendorGroup = new AttributeGroup<MdevDevice>({
  name: 'vendor',
  attributes: [
    { name: 'sample_mdev_dev', mode: 0o444, constant: true, show: (mdev) => `This is MDEV ${mdev.uuid}\n` },
  ],
});

const portsOf = (mdev: MdevDevice) => (mdev.mdevType as MttyType).ports;

/** The device does no DMA, so whatever is logged of it is empty. */
const noDma: VfioLogOps = {
  start: (_vdev, _ranges, pageSize) => pageSize,
  stop() {},
  readAndClear: () => [],
};

/** A device; what is behind it comes into being when somebody uses it. */
class Mtty extends VfioDevice {
  used: MttyDevice | undefined = undefined;
}

function behind(vdev: VfioDevice): MttyDevice {
  const mtty = vdev as Mtty;
  mtty.used ??= new MttyDevice(portsOf(vdev.device as MdevDevice), vdev.core.log);
  return mtty.used;
}

function mttyDriver(sample: () => SampleParent): MdevDriver {
  let freePorts = MAX_PORTS;
  const ops: VfioDeviceOps = {
    name: 'vfio-mtty',
    logging: noDma,
    init({ device }) {
      const ports = portsOf(device as MdevDevice);
      if (freePorts < ports) throw new KernelError(Errno.ENOSPC);
      freePorts -= ports;
    },
    release({ device }) {
      freePorts += portsOf(device as MdevDevice);
    },
    closeDevice: (vdev) => (vdev as Mtty).used?.close(),
    ioctl: (vdev, request, arg, caller) => behind(vdev).ioctl(request, arg, caller),
    read: (vdev, length, offset) => behind(vdev).read(length, offset),
    write: (vdev, bytes, offset) => behind(vdev).write(bytes, offset),
    migration: {
      flags: MTTY_MIGRATION_FLAGS,
      getState: (vdev) => (vdev as Mtty).used?.migration.state ?? VfioMigState.RUNNING,
      setState: (vdev, state) => behind(vdev).migration.setState(state),
      getDataSize: ({ device }) => mttyDataSize(portsOf(device as MdevDevice)),
    },
  };
  return {
    name: 'mtty',
    deviceApi: 'vfio-pci',
    devGroups: [vendorGroup],
    getAvailable: (type) => Math.floor(freePorts / (type as MttyType).ports),

    /** @throws ENOSPC when fewer ports are free than the type has */
    probe(mdev) {
      const vdev = new Mtty(sample().vfio, mdev, ops);
      vdev.registerEmulatedIommuDev();
      mdev.driverData = vdev;
    },

    remove(mdev) {
      const vdev = mdev.driverData as VfioDevice;
      return after(vdev.unregisterGroupDev(), () => vdev.put());
    },
  };
}

export const mttyModule: ModuleDefinition<SampleParent> = {
  name: 'mtty',
  depends: sampleDepends,
  init(module) {
    const { log } = module.core;
    log.print('mtty_dev: mtty_dev_init');
    const types = [new MttyType(1, 'Single port serial'), new MttyType(2, 'Dual port serial')];
    const sample: SampleParent = new SampleParent(
      module,
      'mtty',
      mttyDriver(() => sample),
      types,
      (major) => log.print(`major_number:${major}`),
    );
    return sample;
  },
  exit: (sample, module) => after(sample.exit(), () => module.core.log.print('mtty_dev: Unloaded!')),
};
