/**
 * mbochs: the Bochs display adapter (samples/vfio-mdev/mbochs.c). Devices share the megabytes that the module parameter
 * `count` sets aside; a type is an amount of video memory. The parent, its types, and the driver of their devices.
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
import { MbochsDevice } from './mbochs-device.js';
import { SampleParent, sampleDepends } from './sample-parent.js';

const MBOCHS_NAME = 'mbochs';
const PAGES_PER_MB = 256;

class MbochsType extends MdevType {
  constructor(
    name: string,
    readonly mbytes: number,
    /** The largest picture that it is made for; 0 for any. */
    readonly maxX: number,
    readonly maxY: number,
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

/** A device; what is behind it comes into being when somebody uses it. */
class Mbochs extends VfioDevice {
  used: MbochsDevice | undefined = undefined;
}

function behind(vdev: VfioDevice): MbochsDevice {
  const mbochs = vdev as Mbochs;
  const mdev = vdev.device as MdevDevice;
  mbochs.used ??= new MbochsDevice(vdev, typeOf(mdev));
  return mbochs.used;
}

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
    closeDevice: (vdev) => (vdev as Mbochs).used?.close(),
    ioctl: (vdev, request, arg, caller) => behind(vdev).ioctl(request, arg, caller),
    read: (vdev, length, offset) => behind(vdev).read(length, offset),
    write: (vdev, bytes, offset) => behind(vdev).write(bytes, offset),
    mmap: (vdev, offset, length) => behind(vdev).mmap(offset, length),
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
      const vdev = new Mbochs(sample().vfio, mdev, ops);
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
    const types = [
      new MbochsType('small', 4, 800, 600),
      new MbochsType('medium', 16, 1920, 1440),
      new MbochsType('large', 64, 0, 0),
    ];
    const driver = mbochsDriver(() => sample, module.parameters.number('count'));
    const sample: SampleParent = new SampleParent(module, MBOCHS_NAME, driver, types, (major) =>
      module.core.log.print(`mbochs_dev_init: major ${major}`),
    );
    return sample;
  },
  exit: (sample) => sample.exit(),
};
