import t from 'tap';
import { Shell, typesOf, UUID, uuidOf } from './machine.js';

const parent = '/devices/virtual/mtty/mtty';
const create = `${typesOf('mtty')}/mtty-1/create`;
const device = `/sys/bus/mdev/devices/${UUID}`;

t.test('create announces the device, its group, its VFIO device and its driver, in this order', async (t) => {
  const sh = new Shell('mtty');
  t.equal(sh.echo(`${UUID}\n`, create), 37);
  t.strictSame(sh.takeEvents(), [
    `add@${parent}/${UUID}`,
    'add@/devices/virtual/vfio/0',
    `add@${parent}/${UUID}/vfio-dev/vfio0`,
    `bind@${parent}/${UUID}`,
  ]);
  t.strictSame(sh.ls(device), [
    'uevent',
    'vendor',
    'iommu_group',
    'power',
    'driver',
    'vfio-dev',
    'mdev_type',
    'subsystem',
    'remove',
  ]);
  t.equal(
    sh.process.realpath(`${device}/mdev_type/devices/${UUID}/iommu_group/devices/${UUID}`),
    `/sys${parent}/${UUID}`,
  );
  t.equal(sh.cat(`${device}/vendor/sample_mdev_dev`), `This is MDEV ${UUID}\n`);
});

t.test('remove announces the opposite and leaves nothing', async (t) => {
  const sh = new Shell('mtty');
  const before = ['/sys/class/vfio', '/sys/class/vfio-dev', '/sys/dev/char', '/dev/vfio'].map((dir) =>
    sh.ls(dir),
  );
  sh.echo(UUID, create);
  sh.takeEvents();
  t.equal(sh.echo('1', `${device}/remove`), 1);
  t.strictSame(sh.takeEvents(), [
    `remove@${parent}/${UUID}/vfio-dev/vfio0`,
    'remove@/devices/virtual/vfio/0',
    `unbind@${parent}/${UUID}`,
    `remove@${parent}/${UUID}`,
  ]);
  const after = ['/sys/class/vfio', '/sys/class/vfio-dev', '/sys/dev/char', '/dev/vfio'].map((dir) =>
    sh.ls(dir),
  );
  t.strictSame(after, before);
  t.notOk(sh.exists('/sys/devices/virtual/vfio'), 'the glue directory goes with its last entry');
  t.strictSame(sh.ls('/sys/kernel/iommu_groups'), []);
});

t.test('the directory of a device looks the same whether somebody looked before or not', async (t) => {
  const walk = (sh: Shell, path: string): string[] =>
    sh.ls(path).flatMap((name) => {
      const entry = `${path}/${name}`;
      return (sh.process.lstat(entry).mode & 0o170000) === 0o040000 ? [entry, ...walk(sh, entry)] : [entry];
    });
  const [lazy, eager] = [new Shell('mtty'), new Shell('mtty')];
  lazy.echo(UUID, create);
  // The second machine's directories exist before the device does, and again at every step after.
  walk(eager, '/sys');
  eager.echo(UUID, create);
  const entries = walk(eager, '/sys');
  t.strictSame(walk(lazy, '/sys'), entries);
  for (const sh of [lazy, eager]) {
    sh.echo(UUID, `/sys/bus/mdev/drivers/mtty/unbind`);
    t.strictSame(sh.ls(device), ['uevent', 'power', 'mdev_type', 'subsystem', 'remove']);
  }
});

t.test("every refusal has its errno, in the kernel's order", async (t) => {
  const sh = new Shell('mtty', 'mdpy', 'mbochs');
  const refused = (text: string, code: string, path = create) =>
    t.throws(() => sh.echo(text, path), { code }, `${JSON.stringify(text.slice(0, 40))} is ${code}`);
  for (const text of ['x', UUID.slice(1), `${UUID}ab`, `{${UUID}}`, UUID.replace('8', 'g')])
    refused(text, 'EINVAL');
  t.equal(sh.echo(UUID.toUpperCase(), create), 36);
  refused(UUID, 'EEXIST');
  refused(UUID, 'EEXIST', `${typesOf('mdpy')}/mdpy-vga/create`);
  t.strictSame(sh.takeEvents().length, 4, 'refusals of the core announce nothing');

  for (let n = 0; n < 4; n++) sh.echo(uuidOf(n), `${typesOf('mdpy')}/mdpy-vga/create`);
  refused(uuidOf(9), 'EUSERS', `${typesOf('mdpy')}/mdpy-hd/create`);
  refused(UUID, 'EEXIST', `${typesOf('mdpy')}/mdpy-hd/create`);
  sh.takeEvents();
  for (let n = 16; n < 20; n++) sh.echo(uuidOf(n), `${typesOf('mbochs')}/mbochs-large/create`);
  sh.takeEvents();
  refused(uuidOf(32), 'ENOSPC', `${typesOf('mbochs')}/mbochs-small/create`);
  t.strictSame(
    sh.takeEvents().map((event) => event.split('@')[0]),
    ['add', 'remove'],
    'a refusal of the driver comes when the device is there already',
  );
  t.notOk(sh.exists(`/sys/bus/mdev/devices/${uuidOf(32)}`));
});

t.test('available_instances counts for all types of a parent together', async (t) => {
  const sh = new Shell('mtty');
  const available = () =>
    ['mtty-1', 'mtty-2'].map((type) => sh.cat(`${typesOf('mtty')}/${type}/available_instances`));
  t.strictSame(available(), ['24\n', '12\n']);
  sh.echo(UUID, create);
  t.strictSame(available(), ['23\n', '11\n']);
  sh.echo(UUID, '/sys/bus/mdev/drivers/mtty/unbind');
  t.strictSame(available(), ['24\n', '12\n'], 'an unbound device gives its ports back');
  sh.echo('1', `${device}/remove`);
  t.strictSame(available(), ['24\n', '12\n']);
});

t.test('an unbound device can only be removed', async (t) => {
  const sh = new Shell('mtty', 'mdpy');
  sh.echo(UUID, create);
  sh.echo(`${UUID}\n`, '/sys/bus/mdev/drivers/mtty/unbind');
  for (const driver of ['mtty', 'mdpy']) {
    t.throws(() => sh.echo(UUID, `/sys/bus/mdev/drivers/${driver}/bind`), { code: 'ENODEV' });
  }
  t.throws(() => sh.echo(UUID, '/sys/bus/mdev/drivers/mtty/unbind'), { code: 'ENODEV' });
  t.equal(sh.echo(UUID, '/sys/bus/mdev/drivers_probe'), 36);
  t.notOk(sh.exists(`${device}/driver`));
  sh.echo('1', `${device}/remove`);
  t.notOk(sh.exists(device));
});

t.test('numbers are the lowest free ones of three separate allocators', async (t) => {
  const sh = new Shell('mtty');
  for (const n of [0, 1, 2]) sh.echo(uuidOf(n), create);
  sh.echo('1', `/sys/bus/mdev/devices/${uuidOf(1)}/remove`);
  sh.echo(uuidOf(3), create);
  const ids = (n: number) => {
    const dir = `/sys/bus/mdev/devices/${uuidOf(n)}`;
    return [sh.process.readlink(`${dir}/iommu_group`).split('/').pop(), ...sh.ls(`${dir}/vfio-dev`)];
  };
  t.strictSame(
    [ids(0), ids(2), ids(3)],
    [
      ['0', 'vfio0'],
      ['2', 'vfio2'],
      ['1', 'vfio1'],
    ],
  );
});

t.test('of many who create one UUID or remove one device, one succeeds', async (t) => {
  const sh = new Shell('mtty');
  const outcomes = (tries: (() => unknown)[]) =>
    tries.map((attempt) => {
      try {
        attempt();
        return 'ok';
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
  const created = outcomes(Array.from({ length: 8 }, () => () => sh.echo(UUID, create)));
  t.strictSame(created, ['ok', ...Array(7).fill('EEXIST')]);
  const fds = Array.from({ length: 8 }, () => sh.process.open(`${device}/remove`, 1));
  const removed = outcomes(fds.map((fd) => () => sh.process.write(fd, Buffer.from('1'))));
  t.strictSame(removed, ['ok', ...Array(7).fill('ENODEV')]);
  t.equal(sh.cat(`${typesOf('mtty')}/mtty-1/available_instances`), '24\n');
});

t.test('ten thousand devices are created, listed and removed', async (t) => {
  const sh = new Shell();
  sh.machine.modprobe('mdpy', { count: '10000' });
  const type = `${typesOf('mdpy')}/mdpy-vga`;
  const fd = sh.process.open(`${type}/create`, 1);
  for (let n = 0; n < 10_000; n++) sh.process.write(fd, Buffer.from(uuidOf(n)));
  t.equal(sh.ls('/sys/bus/mdev/devices').length, 10_000);
  t.equal(sh.cat(`${type}/available_instances`), '0\n');
  t.equal(sh.process.lstat('/sys/kernel/iommu_groups').nlink, 10_002);
  for (let n = 0; n < 10_000; n++) sh.echo('1', `/sys/bus/mdev/devices/${uuidOf(n)}/remove`);
  t.strictSame(sh.ls('/sys/bus/mdev/devices'), []);
  t.equal(sh.cat(`${type}/available_instances`), '10000\n');
});
