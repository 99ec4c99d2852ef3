/**
 * A driver as its author writes it, with what the package exports: a device with one register that is added to a number in
 * guest memory whenever it is written.
 */

import t from 'tap';
import {
  Errno,
  KernelError,
  Machine,
  type MdevDevice,
  type MdevDriver,
  MdevType,
  type ModuleDefinition,
  SampleParent,
  sampleDepends,
  VfioDevice,
  type VfioDeviceOps,
  vfio,
  vfioIommu,
} from '../../src/index.js';

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const O_RDWR = 2;

const ops: VfioDeviceOps = {
  name: 'vfio-adder',
  openDevice(vdev) {
    if (!vdev.kvm) vdev.core.log.print('adder: opened without a VM');
  },
  write(vdev, bytes, offset) {
    if (offset !== 0 || bytes.length !== 4) throw new KernelError(Errno.EINVAL);
    const number = vdev.dmaRead(0x1000n, 4);
    number.writeUInt32LE(number.readUInt32LE() + Buffer.from(bytes).readUInt32LE());
    vdev.dmaWrite(0x1000n, number);
    return bytes.length;
  },
};

function adderDriver(sample: () => SampleParent): MdevDriver {
  return {
    name: 'adder',
    deviceApi: 'vfio-platform',
    maxInstances: 2,
    probe(mdev: MdevDevice) {
      const vdev = new VfioDevice(sample().vfio, mdev, ops);
      vdev.registerEmulatedIommuDev();
      mdev.driverData = vdev;
    },
    async remove(mdev: MdevDevice) {
      const vdev = mdev.driverData as VfioDevice;
      await vdev.unregisterGroupDev();
      vdev.put();
    },
  };
}

const adderModule: ModuleDefinition<SampleParent> = {
  name: 'adder',
  depends: sampleDepends,
  init(module) {
    const types = [new MdevType('one', 'Adds to one number')];
    const sample: SampleParent = new SampleParent(
      module,
      'adder',
      adderDriver(() => sample),
      types,
      () => {},
    );
    return sample;
  },
  exit: (sample) => sample.exit(),
};

t.test('a driver of its own gets devices, opens them and works on guest memory', async (t) => {
  const machine = new Machine();
  machine.define(adderModule);
  for (const name of ['vfio_iommu_type1', 'adder']) machine.modprobe(name);
  machine.createMdev('adder', 'adder-one', UUID);
  const user = machine.process();
  const type = '/sys/class/mdev_bus/adder/mdev_supported_types/adder-one';
  const text = (path: string) => Buffer.from(user.read(user.open(path, 0), 4096)).toString();
  t.equal(text(`${type}/available_instances`), '1\n');
  t.equal(text(`${type}/device_api`), 'vfio-platform\n');

  const int = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const container = user.open('/dev/vfio/vfio', O_RDWR);
  const group = user.open('/dev/vfio/0', O_RDWR);
  user.ioctl(group, vfio.VFIO_GROUP_SET_CONTAINER, int(container));
  user.ioctl(container, vfio.VFIO_SET_IOMMU, vfioIommu.VFIO_TYPE1v2_IOMMU);
  const device = user.ioctl(group, vfio.VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${UUID}\0`)) as number;
  t.equal(machine.core.log.lines.at(-1), 'adder: opened without a VM');
  t.throws(() => user.pwrite(device, int(5), 0), { code: 'EINVAL' }, 'nothing is mapped there');

  const memory = Buffer.alloc(4096);
  const map = Buffer.alloc(vfioIommu.DMA_MAP_SIZE);
  map.writeUInt32LE(map.length, 0);
  map.writeUInt32LE(3, 4);
  map.writeBigUInt64LE(user.memory.map(memory), 8);
  map.writeBigUInt64LE(0x1000n, 16);
  map.writeBigUInt64LE(4096n, 24);
  user.ioctl(container, vfioIommu.VFIO_IOMMU_MAP_DMA, map);
  memory.writeUInt32LE(37);
  t.equal(user.pwrite(device, int(5), 0), 4);
  t.equal(memory.readUInt32LE(), 42);
  t.throws(() => user.pwrite(device, int(5), 4), { code: 'EINVAL' });

  const removal = machine.rmmod.bind(machine, 'adder');
  t.throws(removal, { code: 'EAGAIN' }, 'the module is in use while the device is open');
  user.exit();
  await removal();
  t.notOk(machine.process().exists(type));
});
