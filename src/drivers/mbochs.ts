/**
 * mbochs: the Bochs display adapter (samples/vfio-mdev/mbochs.c). Devices share the megabytes that the module parameter
 * `count` sets aside; a type is an amount of video memory. Registers, memory and EDID are
 * not there yet.
 * @module
 */

import { devPrint } from '../base/dev-print.js';
import type { ModuleDefinition } from '../base/module.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after } from '../lib/sleep.js';
import type { MdevDevice } from '../mdev/device.js';
import type { MdevDriver } from '../mdev/driver.js';
import { MdevType } from '../mdev/type.js';
import { AttributeGroup } from '../sysfs/group.js';
import { VfioDevice } from '../vfio/device.js';
import type { VfioDeviceOps } from '../vfio/device-ops.js';
import { mbochsIoctl } from './mbochs-vfio.js';
import { SampleParent, sampleDepends } from './sample-parent.js';

const MBOCHS_NAME = 'mbochs';
const PAGES_PER_MB = 256;

class MbochsType extends MdevType {
  constructor(
    name: string,
    readonly mbytes: number,
  ) {
    super(name, `${MBOCHS_NAME}-${name}`);
  }
}

const typeOf = (mdev: MdevDevice) => mdev.mdevType as MbochsType;

const vendorGroup = new AttributeGroup<MdevDevice>({
  name: 'vendor',
  attributes: [
    { name: 'memory', mode: 0o444, constant: true, show: (mdev) => `${typeOf(mdev).mbytes} MB\n` },
  ],
});

function mbochsDriver(sample: () => SampleParent, mbytes: number): MdevDriver {
  let free = mbytes;
  const mbytesOf = (vdev: VfioDevice) => typeOf(vdev.device as MdevDevice).mbytes;
  const ops: VfioDeviceOps = {
    name: MBOCHS_NAME,
    init(vdev) {
      if (free < mbytesOf(vdev)) throw new KernelError(Errno.ENOSPC);
      free -= mbytesOf(vdev);
    },
    release(vdev) {
      free += mbytesOf(vdev);
    },
    ioctl: (vdev, request, arg) => mbochsIoctl(mbytesOf(vdev), request, arg),
  };
  return {
    name: MBOCHS_NAME,
    deviceApi: 'vfio-pci',
    devGroups: [vendorGroup],
    getAvailable: (type) => Math.floor(free / (type as MbochsType).mbytes),
    showDescription: (type) => `virtual display, ${(type as MbochsType).mbytes} MB video memory`,

    /** @throws ENOSPC when less memory is free than the type has */
    probe(mdev) {
      const type = typeOf(mdev);
      const vdev = new VfioDevice(sample().vfio, mdev, ops);
      devPrint(
        mdev,
        `mbochs_init_dev: ${type.prettyName}, ${type.mbytes} MB, ${type.mbytes * PAGES_PER_MB} pages`,
      );
      vdev.registerEmulatedIommuDev();
      mdev.driverData = vdev;
    },

    remove(mdev) {
      const vdev = mdev.driverData as VfioDevice;
      return after(vdev.unregisterGroupDev(), () => vdev.put());
    },
  };
}

export const mbochsModule: ModuleDefinition<SampleParent> = {
  name: MBOCHS_NAME,
  depends: sampleDepends,
  parameters: [{ name: 'count', type: 'int', mode: 0o444, initial: 256 }],
  init(module) {
    const types = [new MbochsType('small', 4), new MbochsType('medium', 16), new MbochsType('large', 64)];
    const driver = mbochsDriver(() => sample, module.parameters.number('count'));
    const sample: SampleParent = new SampleParent(module, MBOCHS_NAME, driver, types, (major) =>
      module.core.log.print(`mbochs_dev_init: major ${major}`),
    );
    return sample;
  },
  exit: (sample) => sample.exit(),
};
