import t from 'tap';
import {
  VFIO_CHECK_EXTENSION,
  VFIO_DEVICE_GET_INFO,
  VFIO_GET_API_VERSION,
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_GROUP_GET_STATUS,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_GROUP_UNSET_CONTAINER,
  VFIO_SET_IOMMU,
} from '../../src/uapi/vfio.js';
import { Shell, typesOf, UUID, uuidOf } from '../mdev/machine.js';

const O_RDWR = 2;

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};
const name = (text: string) => Buffer.from(`${text}\0`);

function shell(): Shell {
  const sh = new Shell('mdpy', 'vfio_iommu_type1');
  sh.echo(UUID, `${typesOf('mdpy')}/mdpy-vga/create`);
  return sh;
}

/** Opens container, group and device, as the kernel's documentation of VFIO does. */
function openDevice(sh: Shell) {
  const { process } = sh;
  const container = process.open('/dev/vfio/vfio', O_RDWR);
  const group = process.open('/dev/vfio/0', O_RDWR);
  process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(container));
  process.ioctl(container, VFIO_SET_IOMMU, 1);
  const device = process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name(UUID)) as number;
  return { container, group, device };
}

t.test(
  'a group joins a container, the container gets an IOMMU, the group gives out its device',
  async (t) => {
    const sh = shell();
    const { process } = sh;
    const container = process.open('/dev/vfio/vfio', O_RDWR);
    t.equal(process.ioctl(container, VFIO_GET_API_VERSION), 0);
    t.strictSame(
      [1, 3, 6, 9, 4, 2].map((extension) => process.ioctl(container, VFIO_CHECK_EXTENSION, extension)),
      [1, 1, 1, 1, 0, 0],
    );
    t.throws(() => process.ioctl(container, VFIO_SET_IOMMU, 1), { code: 'EINVAL' }, 'no group yet');
    t.throws(() => process.ioctl(container, 0x3bff), { code: 'EINVAL' });
    const group = process.open('/dev/vfio/0', O_RDWR);
    t.throws(() => process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name(UUID)), { code: 'EINVAL' });
    t.throws(() => process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(99)), { code: 'EBADF' });
    t.throws(() => process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(group)), { code: 'EBADFD' });
    t.throws(() => process.ioctl(group, VFIO_GROUP_SET_CONTAINER, Buffer.alloc(2)), { code: 'EFAULT' });
    t.equal(process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(container)), 0);
    t.throws(() => process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(container)), { code: 'EINVAL' });
    t.throws(() => process.ioctl(container, VFIO_SET_IOMMU, 7), { code: 'ENODEV' });
    t.equal(process.ioctl(container, VFIO_SET_IOMMU, 3), 0);
    t.throws(() => process.ioctl(container, VFIO_SET_IOMMU, 3), { code: 'EINVAL' });
    t.equal(process.ioctl(container, VFIO_CHECK_EXTENSION, 4), 1);
    t.throws(() => process.ioctl(container, 0x3bff), { code: 'ENOTTY' });
    const status = Buffer.from('0800000000000000', 'hex');
    process.ioctl(group, VFIO_GROUP_GET_STATUS, status);
    t.equal(status.readUInt32LE(4), 3, 'viable, and in a container');
    t.throws(() => process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name(uuidOf(1))), { code: 'ENODEV' });
    t.throws(() => process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, Buffer.alloc(5000, 'x')), {
      code: 'EINVAL',
    });
    const device = process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name(UUID)) as number;
    const info = Buffer.alloc(24);
    info.writeUInt32LE(24);
    t.equal(process.ioctl(device, VFIO_DEVICE_GET_INFO, info), 0);
    t.equal(info.toString('hex'), '180000000200000009000000050000000000000000000000');
    t.throws(() => process.ioctl(group, VFIO_GROUP_UNSET_CONTAINER), { code: 'EBUSY' });
    process.close(device);
    t.equal(process.ioctl(group, VFIO_GROUP_UNSET_CONTAINER), 0);
    t.throws(
      () => process.ioctl(container, VFIO_SET_IOMMU, 1),
      { code: 'EINVAL' },
      'the IOMMU left with the group',
    );
  },
);

t.test('a group is open once, also while only one of its devices is', async (t) => {
  const sh = shell();
  const { group, device } = openDevice(sh);
  t.throws(() => sh.process.open('/dev/vfio/0', O_RDWR), { code: 'EBUSY' });
  sh.process.close(group);
  t.throws(() => sh.process.open('/dev/vfio/0', O_RDWR), { code: 'EBUSY' });
  sh.process.close(device);
  t.ok(sh.process.open('/dev/vfio/0', O_RDWR));
});

t.test('remove waits for every descriptor of the device, duplicates too', async (t) => {
  const sh = shell();
  const { container, group, device } = openDevice(sh);
  const duplicate = sh.process.dup(device);
  const removed = sh.echo('1', `/sys/bus/mdev/devices/${UUID}/remove`);
  t.type(removed, Promise);
  sh.process.close(device);
  t.throws(() => sh.process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name(UUID)), { code: 'ENODEV' });
  await null;
  t.ok(sh.exists('/dev/vfio/0'));
  sh.process.close(duplicate);
  t.equal(await removed, 1);
  t.notOk(sh.exists('/dev/vfio/0'));
  t.throws(() => sh.process.ioctl(group, VFIO_GROUP_GET_STATUS, Buffer.from('0800000000000000', 'hex')), {
    code: 'ENODEV',
  });
  t.throws(() => sh.process.ioctl(group, VFIO_GROUP_UNSET_CONTAINER), { code: 'EINVAL' });
  t.equal(sh.process.ioctl(container, VFIO_CHECK_EXTENSION, 4), 0, 'the container lost its IOMMU');
});

t.test('an open group of a removed device keeps its minor, not its number', async (t) => {
  const sh = shell();
  const group = sh.process.open('/dev/vfio/0', O_RDWR);
  t.equal(sh.echo('1', `/sys/bus/mdev/devices/${UUID}/remove`), 1);
  const again = (n: number) => {
    sh.echo(uuidOf(n), `${typesOf('mdpy')}/mdpy-vga/create`);
    const number = sh.process
      .readlink(`/sys/bus/mdev/devices/${uuidOf(n)}/iommu_group`)
      .split('/')
      .pop();
    return [number, sh.cat(`/sys/class/vfio/${number}/dev`)];
  };
  t.strictSame(again(1), ['0', '254:1\n']);
  sh.process.close(group);
  t.strictSame(again(2), ['1', '254:0\n']);
});

t.test('a number that no driver answers for cannot be opened', async (t) => {
  const sh = shell();
  t.throws(() => sh.process.core.devts.open({ major: 10, minor: 99 }), { code: 'ENXIO' });
});
