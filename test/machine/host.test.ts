import t from 'tap';
import { FixtureError } from '../../src/machine/fixture.js';
import { card, Host } from '../pci/host.js';

t.test('raw nodes are files, links and directories', async (t) => {
  const host = new Host({
    name: 'x',
    nodes: {
      '/sys/firmware/acpi/tables': { entries: { FACS: { hex: '46414353', mode: '0400' }, data: {} } },
      '/sys/kernel/mm/enabled': { content: 'always\n', mode: '0644' },
      '/sys/kernel/mm/link': { target: '/sys/firmware/acpi' },
      '/sys/kernel/mm/broken': { readError: 'EOPNOTSUPP' },
      '/sys/kernel/mm/poke': { mode: '0200' },
      '/sys/kernel/debug/text': { content: 'x', size: 0 },
      '/sys/kernel/mm/plain': 'plain\n',
    },
  });
  t.equal(host.process.lstat('/sys/firmware/acpi/tables/FACS').size, 4);
  t.equal(host.read('/sys/firmware/acpi/tables/FACS').toString(), 'FACS');
  t.strictSame(host.ls('/sys/firmware/acpi/tables/data'), []);
  host.echo('never', '/sys/kernel/mm/enabled');
  t.equal(host.cat('/sys/kernel/mm/enabled'), 'never');
  t.equal(host.process.readlink('/sys/kernel/mm/link'), '../../firmware/acpi');
  t.ok(host.exists('/sys/kernel/mm/link/tables'));
  t.throws(() => host.cat('/sys/kernel/mm/broken'), { code: 'EOPNOTSUPP' });
  t.throws(() => host.cat('/sys/kernel/mm/poke'), { code: 'EACCES' });
  t.equal(host.echo('1', '/sys/kernel/mm/poke'), 2);
  t.equal(host.process.lstat('/sys/kernel/debug/text').size, 0);
  t.throws(() => host.echo('x', '/sys/kernel/mm/plain'), { code: 'EACCES' });
});

t.test('a place that is taken is named', async (t) => {
  const nodes = { '/sys/kernel/debug': 'x' };
  t.throws(
    () => new Host({ name: 'x', nodes }),
    new FixtureError(['nodes["/sys/kernel/debug"]: expected something that can be made, got EEXIST']),
  );
  const twice = { name: 'lo', class: 'net' };
  t.throws(
    () => new Host({ name: 'x', devices: [twice, twice] }),
    new FixtureError(['devices[1]: expected something that can be made, got EEXIST']),
  );
});

t.test('plain devices are whole: class, bus, driver, node, uevent', async (t) => {
  const host = new Host({
    name: 'x',
    buses: ['virtio'],
    devices: [
      { name: 'null', class: 'mem', dev: '1:3' },
      { name: 'wakeup%d', class: 'wakeup', parent: '/sys/devices/LNXSYSTM:00/LNXPWRBN:00' },
      { name: 'wakeup%d', class: 'wakeup', parent: '/sys/devices/LNXSYSTM:00' },
      {
        name: 'virtio0',
        bus: 'virtio',
        driver: 'virtio_blk',
        variables: ['MODALIAS=virtio:d2'],
        nodes: { status: '0xf\n' },
      },
    ],
  });
  t.equal(host.cat('/sys/dev/char/1:3/uevent'), 'MAJOR=1\nMINOR=3\nDEVNAME=null');
  t.equal(host.process.stat('/dev/null').rdev, 0x103);
  t.equal(
    host.process.readlink('/sys/class/wakeup/wakeup0'),
    '../../devices/LNXSYSTM:00/LNXPWRBN:00/wakeup/wakeup0',
  );
  t.equal(host.cat('/sys/class/wakeup/wakeup1/name'), 'LNXSYSTM:00');
  t.equal(host.cat('/sys/bus/virtio/devices/virtio0/uevent'), 'DRIVER=virtio_blk\nMODALIAS=virtio:d2');
  t.equal(host.cat('/sys/devices/virtio0/status'), '0xf');
  t.ok(host.exists('/sys/bus/virtio/drivers/virtio_blk/virtio0'));
  t.strictSame(host.ls('/sys/bus/virtio'), [
    'devices',
    'drivers',
    'drivers_autoprobe',
    'drivers_probe',
    'uevent',
  ]);
});

t.test('IOMMU groups have the numbers that they are given, and gaps are free for others', async (t) => {
  const host = new Host({
    name: 'x',
    modules: ['mtty'],
    iommu: { groups: [{ id: 0 }, { id: 2, type: 'identity', reservedRegions: [] }] },
    pci: { functions: [card({ iommuGroup: 2 })] },
  });
  t.strictSame(host.ls('/sys/kernel/iommu_groups'), ['0', '2']);
  t.equal(host.cat('/sys/kernel/iommu_groups/2/type'), 'identity');
  t.equal(
    host.cat('/sys/kernel/iommu_groups/0/reserved_regions'),
    '0x00000000fee00000 0x00000000feefffff msi',
  );
  t.equal(
    host.process.readlink('/sys/bus/pci/devices/0000:00:02.0/iommu_group'),
    '../../../kernel/iommu_groups/2',
  );
  const create = '/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create';
  host.echo('83b8f4f2-509f-382f-3c1e-e6bfe0fa1001', create);
  t.strictSame(host.ls('/sys/kernel/iommu_groups'), ['0', '1', '2']);
});

t.test('drivers of the host are part of the kernel, or modules', async (t) => {
  const drivers = [
    { name: 'inside', module: 'inside_mod' },
    { name: 'outside', module: 'outside_mod', builtin: false, ids: ['1234:*'] },
  ];
  const host = new Host({ name: 'x', pci: { functions: [card()], drivers } });
  t.strictSame(host.ls('/sys/bus/pci/drivers'), ['inside']);
  t.strictSame(host.ls('/sys/module/inside_mod'), ['drivers', 'uevent']);
  t.equal(host.process.readlink('/sys/bus/pci/drivers/inside/module'), '../../../../module/inside_mod');
  host.machine.modprobe('outside_mod');
  t.ok(host.exists('/sys/bus/pci/drivers/outside/0000:00:02.0'));
  host.machine.rmmod('outside_mod');
  t.strictSame(host.ls('/sys/bus/pci/drivers'), ['inside']);
  t.notOk(host.exists('/sys/bus/pci/devices/0000:00:02.0/driver'));
});

t.test('a host without PCI has no PCI', async (t) => {
  const host = new Host({ name: 'x' });
  t.notOk(host.exists('/sys/bus/pci'));
  t.equal(host.pci, undefined);
});

t.test('two machines of one fixture do not share anything', async (t) => {
  const fixture = { name: 'x', pci: { functions: [card()] } };
  const [one, other] = [new Host(fixture), new Host(fixture)];
  one.echo('x', '/sys/bus/pci/devices/0000:00:02.0/driver_override');
  one.echo('1', '/sys/bus/pci/devices/0000:00:02.0/enable');
  t.equal(other.cat('/sys/bus/pci/devices/0000:00:02.0/driver_override'), '(null)');
  t.equal(other.cat('/sys/bus/pci/devices/0000:00:02.0/enable'), '0');
});
