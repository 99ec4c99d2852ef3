/**
 * mdpy: a display without a GPU (samples/vfio-mdev/mdpy.c): a framebuffer of fixed size in PCI memory. The mdev core
 * counts its devices against the module parameter `count`. The parent, its types, and the driver of their devices.
 * @module
 */

import { devPrint } from '../base/dev-print.js';
import type { ModuleDefinition } from '../base/module.js';
import { after } from '../lib/sleep.js';
import type { MdevDevice } from '../mdev/device.js';
import type { MdevDriver } from '../mdev/driver.js';
import { MdevType } from '../mdev/type.js';
import { AttributeGroup } from '../sysfs/group.js';
import { VfioDevice } from '../vfio/device.js';
import type { VfioDeviceOps } from '../vfio/device-ops.js';
import { MdpyDevice } from './mdpy-device.js';
import { SampleParent, sampleDepends } from './sample-parent.js';

const MDPY_NAME = 'mdpy';

class MdpyType extends MdevType {
  constructor(
    name: string,
    readonly width: number,
    readonly height: number,
  ) {
    super(name, `${MDPY_NAME}-${name}`);
  }

  get resolution(): string {
    return `${this.width}x${this.height}`;
  }
}

const typeOf = (mdev: MdevDevice) => mdev.mdevType as MdpyType;

const vendorGroup = new AttributeGroup<MdevDevice>({
  name: 'vendor',
  attributes: [
    { name: 'resolution', mode: 0o444, constant: true, show: (mdev) => `${typeOf(mdev).resolution}\n` },
  ],
});

/** A device; what is behind it comes into being when somebody uses it. */
class Mdpy extends VfioDevice {
  used: MdpyDevice | undefined = undefined;
}

function behind(vdev: VfioDevice): MdpyDevice {
  const mdpy = vdev as Mdpy;
  const mdev = vdev.device as MdevDevice;
  mdpy.used ??= new MdpyDevice(vdev, typeOf(mdev));
  return mdpy.used;
}

function mdpyDriver(sample: () => SampleParent, maxInstances: number): MdevDriver {
  const ops: VfioDeviceOps = {
    name: MDPY_NAME,
    ioctl: (vdev, request, arg) => behind(vdev).ioctl(request, arg),
    read: (vdev, length, offset) => behind(vdev).read(length, offset),
    write: (vdev, bytes, offset) => behind(vdev).write(bytes, offset),
    mmap: (vdev, offset, length) => behind(vdev).mmap(offset, length),
  };
  return {
    name: MDPY_NAME,
    deviceApi: 'vfio-pci',
    maxInstances,
    devGroups: [vendorGroup],
    showDescription: (type) => `virtual display, ${(type as MdpyType).resolution} framebuffer`,

    probe(mdev) {
      const vdev = new Mdpy(sample().vfio, mdev, ops);
      devPrint(mdev, `mdpy_init_dev: ${typeOf(mdev).prettyName} (${typeOf(mdev).resolution})`);
      vdev.registerEmulatedIommuDev();
      mdev.driverData = vdev;
    },

    remove(mdev) {
      devPrint(mdev, 'mdpy_remove');
      const vdev = mdev.driverData as VfioDevice;
      return after(vdev.unregisterGroupDev(), () => vdev.put());
    },
  };
}

export const mdpyModule: ModuleDefinition<SampleParent> = {
  name: MDPY_NAME,
  depends: sampleDepends,
  parameters: [{ name: 'count', type: 'int', mode: 0o444, initial: 4 }],
  init(module) {
    const types = [
      new MdpyType('vga', 640, 480),
      new MdpyType('xga', 1024, 768),
      new MdpyType('hd', 1920, 1080),
    ];
    const driver = mdpyDriver(() => sample, module.parameters.number('count'));
    const sample: SampleParent = new SampleParent(module, MDPY_NAME, driver, types, (major) =>
      module.core.log.print(`mdpy_dev_init: major ${major}`),
    );
    return sample;
  },
  exit: (sample) => sample.exit(),
};
