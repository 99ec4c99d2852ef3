import t from 'tap';
import type { Process } from '../../src/machine/process.js';
import {
  VFIO_CHECK_EXTENSION,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_GROUP_UNSET_CONTAINER,
  VFIO_SET_IOMMU,
} from '../../src/uapi/vfio.js';
import { VFIO_IOMMU_GET_INFO } from '../../src/uapi/vfio-iommu.js';
import type { VfioContainer } from '../../src/vfio/container.js';
import { dmaMap, PAGE, Type1Container } from '../iommu/type1.js';
import { Shell, typesOf, UUID, uuidOf } from '../mdev/machine.js';

const O_RDWR = 2;

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

const extensions = (process: Process, fd: number): number[] =>
  Array.from({ length: 12 }, (_, i) => i).filter(
    (extension) => process.ioctl(fd, VFIO_CHECK_EXTENSION, extension) === 1,
  );

const info = (): Buffer => Buffer.from('10000000000000000000000000000000', 'hex');

t.test('a container offers what the loaded backends offer', async (t) => {
  const sh = new Shell('mdpy');
  const fd = sh.process.open('/dev/vfio/vfio', O_RDWR);
  t.strictSame(extensions(sh.process, fd), []);
  sh.machine.modprobe('vfio_iommu_type1');
  t.strictSame(extensions(sh.process, fd), [1, 3, 6, 9]);
  sh.echo('Y', '/sys/module/vfio/parameters/enable_unsafe_noiommu_mode');
  t.strictSame(extensions(sh.process, fd), [1, 3, 6, 8, 9]);
  sh.echo(UUID, `${typesOf('mdpy')}/mdpy-vga/create`);
  const group = sh.process.open('/dev/vfio/0', O_RDWR);
  sh.process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(fd));
  t.strictSame(extensions(sh.process, fd), [1, 3, 6, 9], 'not to a group of a mediated device');
  t.throws(() => sh.process.ioctl(fd, VFIO_SET_IOMMU, 8), { code: 'ENODEV' });
  t.throws(() => sh.process.ioctl(fd, VFIO_SET_IOMMU, 9), { code: 'EINVAL' }, 'an extension, not a type');
  t.throws(() => sh.process.ioctl(fd, VFIO_SET_IOMMU, 2), { code: 'ENODEV' });
  t.throws(() => sh.process.ioctl(fd, VFIO_SET_IOMMU, -1), { code: 'ENODEV' });
  sh.process.ioctl(fd, VFIO_SET_IOMMU, 6);
  t.strictSame(extensions(sh.process, fd), [1, 3, 4, 6, 9]);
});

t.test('without a backend module no type can be set', async (t) => {
  const sh = new Shell('mdpy');
  sh.echo(UUID, `${typesOf('mdpy')}/mdpy-vga/create`);
  const [fd, group] = [sh.process.open('/dev/vfio/vfio', O_RDWR), sh.process.open('/dev/vfio/0', O_RDWR)];
  sh.process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(fd));
  t.throws(() => sh.process.ioctl(fd, VFIO_SET_IOMMU, 1), { code: 'ENODEV' });
});

t.test('the module of a backend in use stays', async (t) => {
  const c = new Type1Container();
  t.throws(() => c.machine.rmmod('vfio_iommu_type1'), { code: 'EAGAIN' });
  c.detach();
  await c.machine.rmmod('vfio_iommu_type1');
  t.throws(() => c.ioctl(VFIO_IOMMU_GET_INFO, info()), { code: 'EINVAL' });
});

t.test('a container lives on in its groups when its own descriptor is closed', async (t) => {
  const c = new Type1Container();
  c.map({ iova: 0n, size: PAGE });
  const container = c.process.fget(c.container) as VfioContainer;
  c.process.close(c.container);
  t.equal(c.iommu.mappings.size, 1);
  t.ok(container.iommu);
  c.process.close(c.group);
  t.equal(c.iommu.mappings.size, 0);
  t.equal(container.iommu, undefined);
  await c.machine.rmmod('vfio_iommu_type1');
});

t.test('mappings stay until the last of several groups leaves', async (t) => {
  const c = new Type1Container();
  const { process } = c;
  c.machine.createMdev('mdpy', 'mdpy-vga', uuidOf(1));
  const other = process.open('/dev/vfio/1', O_RDWR);
  process.ioctl(other, VFIO_GROUP_SET_CONTAINER, int(c.container));
  c.ioctl(0x3b71, dmaMap({}));
  c.detach();
  t.equal(c.iommu.mappings.size, 1);
  process.ioctl(other, VFIO_GROUP_UNSET_CONTAINER);
  t.equal(c.iommu.mappings.size, 0);
  t.throws(() => c.ioctl(VFIO_IOMMU_GET_INFO, info()), { code: 'EINVAL' });
});
