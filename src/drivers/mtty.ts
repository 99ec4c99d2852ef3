/**
 * mtty: a PCI card with serial ports (samples/vfio-mdev/mtty.c). The parent has 24 ports; a device of one type takes
 * one of them, of the other two. The sysfs half: the ports' registers come with the VFIO user API.
 * @module
 */

import type { ModuleDefinition } from '../base/module.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after } from '../lib/sleep.js';
import type { MdevDevice } from '../mdev/device.js';
import type { MdevDriver } from '../mdev/driver.js';
import { MdevType } from '../mdev/type.js';
import { AttributeGroup } from '../sysfs/group.js';
import { VFIO_MIGRATION_STOP_COPY, VfioMigState } from '../uapi/vfio-feature.js';
import { VfioDevice } from '../vfio/device.js';
import type { VfioDeviceOps } from '../vfio/device-ops.js';
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

function mttyDriver(sample: () => SampleParent): MdevDriver {
  let freePorts = MAX_PORTS;
  const ops: VfioDeviceOps = {
    name: 'vfio-mtty',
    init({ device }) {
      const ports = portsOf(device as MdevDevice);
      if (freePorts < ports) throw new KernelError(Errno.ENOSPC);
      freePorts -= ports;
    },
    release({ device }) {
      freePorts += portsOf(device as MdevDevice);
    },
    migration: {
      flags: VFIO_MIGRATION_STOP_COPY,
      getState: () => VfioMigState.RUNNING,
      setState: () => undefined,
      getDataSize: () => 0,
    },
  };
  return {
    name: 'mtty',
    deviceApi: 'vfio-pci',
    devGroups: [vendorGroup],
    getAvailable: (type) => Math.floor(freePorts / (type as MttyType).ports),

    /** @throws ENOSPC when fewer ports are free than the type has */
    probe(mdev) {
      const vdev = new VfioDevice(sample().vfio, mdev, ops);
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
