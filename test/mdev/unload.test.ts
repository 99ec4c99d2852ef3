import t from 'tap';
import { Shell, typesOf, UUID, uuidOf } from './machine.js';

t.test('a driver module takes its devices along when it goes', async (t) => {
  const sh = new Shell('mtty');
  const create = `${typesOf('mtty')}/mtty-1/create`;
  for (const n of [1, 2]) sh.echo(uuidOf(n), create);
  sh.takeEvents();
  await sh.machine.rmmod('mtty');
  const dir = '/devices/virtual/mtty/mtty';
  t.strictSame(sh.takeEvents(), [
    ...[1, 2].flatMap((n) => [
      `remove@${dir}/${uuidOf(n)}/vfio-dev/vfio${n - 1}`,
      `remove@/devices/virtual/vfio/${n - 1}`,
      `unbind@${dir}/${uuidOf(n)}`,
      `remove@${dir}/${uuidOf(n)}`,
    ]),
    `change@${dir}`,
    `remove@${dir}`,
    'remove@/bus/mdev/drivers/mtty',
    'remove@/class/mtty',
    'remove@/module/mtty',
  ]);
  t.strictSame(sh.ls('/sys/class/mdev_bus'), []);
  t.strictSame(sh.ls('/sys/module/mdev/holders'), []);
});

t.test('a module that others hold stays', async (t) => {
  const sh = new Shell('mtty', 'vfio_iommu_type1');
  for (const name of ['mdev', 'vfio', 'iommufd']) {
    t.throws(() => sh.machine.rmmod(name), { code: 'EAGAIN' }, name);
  }
  t.throws(() => sh.machine.rmmod('nothing'), { code: 'ENOENT' });
  t.throws(() => sh.machine.insmod('mtty'), { code: 'EEXIST' });
  t.throws(() => sh.machine.modprobe('nothing'), { code: 'ENOENT' });
  for (const name of ['mtty', 'mdev', 'vfio_iommu_type1', 'vfio', 'iommufd']) await sh.machine.rmmod(name);
  t.strictSame(sh.ls('/sys/module'), []);
  t.strictSame(sh.ls('/sys/class'), ['misc']);
  t.strictSame(sh.ls('/dev'), []);
});

t.test('insmod without what the module needs is ENOENT', async (t) => {
  t.throws(() => new Shell().machine.insmod('mtty'), { code: 'ENOENT' });
});

t.test('VFIO is pinned once while there are devices, however many', async (t) => {
  const sh = new Shell('mtty');
  const refcnt = () => sh.cat('/sys/module/vfio/refcnt');
  const create = `${typesOf('mtty')}/mtty-1/create`;
  t.equal(refcnt(), '1\n');
  sh.echo(uuidOf(1), create);
  sh.echo(uuidOf(2), create);
  t.equal(refcnt(), '2\n');
  sh.echo('1', `/sys/bus/mdev/devices/${uuidOf(1)}/remove`);
  sh.echo('1', `/sys/bus/mdev/devices/${uuidOf(2)}/remove`);
  t.equal(refcnt(), '1\n');
});

t.test('module parameters are read at load, checked, and written where their mode allows', async (t) => {
  const sh = new Shell('vfio_iommu_type1');
  sh.machine.modprobe('mdpy', { count: '2' });
  t.equal(sh.cat('/sys/module/mdpy/parameters/count'), '2\n');
  t.throws(() => sh.process.open('/sys/module/mdpy/parameters/count', 1), { code: 'EACCES' });
  t.throws(() => sh.machine.modprobe('mbochs', { count: 'many' }), { code: 'EINVAL' });
  t.notOk(sh.exists('/sys/module/mbochs'));
  const limit = '/sys/module/vfio_iommu_type1/parameters/dma_entry_limit';
  sh.echo('100\n', limit);
  t.equal(sh.cat(limit), '100\n');
  t.throws(() => sh.echo('4294967296', limit), { code: 'ERANGE' });
});

t.test('the control file loads and unloads modules', async (t) => {
  const sh = new Shell();
  const file = '/sys/kernel/debug/mdevfs/module';
  sh.echo('modprobe mdpy count=7\n', file);
  t.match(sh.cat(file), /^mdpy$/m);
  t.equal(sh.cat(`${typesOf('mdpy')}/mdpy-hd/available_instances`), '7\n');
  for (const bad of ['', 'mdpy', 'load mdpy', 'insmod mtty =3', 'rmmod mdpy now']) {
    t.throws(() => sh.echo(`${bad}\n`, file), { code: 'EINVAL' }, bad);
  }
  await sh.echo('rmmod mdpy', file);
  t.notMatch(sh.cat(file), /mdpy/);
});

t.test('while a device is held its removal sleeps, and so does whoever else wants it gone', async (t) => {
  const { VfioDevice } = await import('../../src/vfio/device.js');
  const sh = new Shell('mtty');
  sh.echo(UUID, `${typesOf('mtty')}/mtty-1/create`);
  const { mdevModule } = await import('../../src/mdev/core.js');
  const mdev = sh.machine.loader.exportsOf(mdevModule)!.find(UUID)!;
  const vdev = mdev.driverData as InstanceType<typeof VfioDevice>;
  t.ok(vdev.tryGet());
  sh.takeEvents();
  const dir = `/sys/devices/virtual/mtty/mtty/${UUID}`;
  const unbound = sh.echo(UUID, '/sys/bus/mdev/drivers/mtty/unbind');
  t.type(unbound, Promise);
  const removed = sh.echo('1', `${dir}/remove`);
  t.type(removed, Promise);
  t.strictSame(sh.takeEvents(), [`remove@/devices/virtual/mtty/mtty/${UUID}/vfio-dev/vfio0`]);
  t.strictSame(sh.ls(dir), ['uevent', 'iommu_group', 'power', 'subsystem']);
  t.ok(sh.exists(`/sys/bus/mdev/devices/${UUID}`), 'an unbind keeps the device on its bus');
  t.ok(sh.exists('/dev/vfio/0'));
  t.notOk(vdev.tryGet(), 'nobody else can open it');
  t.throws(() => sh.echo(UUID, `${typesOf('mtty')}/mtty-1/create`), { code: 'EEXIST' });
  vdev.putRegistration();
  t.equal(await unbound, 36);
  t.equal(await removed, 1);
  t.strictSame(sh.takeEvents(), [
    'remove@/devices/virtual/vfio/0',
    `unbind@/devices/virtual/mtty/mtty/${UUID}`,
    `remove@/devices/virtual/mtty/mtty/${UUID}`,
  ]);
  t.equal(sh.cat(`${typesOf('mtty')}/mtty-1/available_instances`), '24\n');
});
