import t from 'tap';
import { asleep } from '../../src/lib/sleep.js';
import type { FixtureInput } from '../../src/machine/fixture.js';
import { fixtureFile, Host, uuidOf } from './host.js';

const DEVICES = '/sys/bus/pci/devices';
const PF = `${DEVICES}/0000:17:00.0`;
const NUMVFS = `${PF}/sriov_numvfs`;
const VF0 = `${DEVICES}/0000:17:00.4`;
const LAST_VF = `${DEVICES}/0000:17:02.3`;

/** The A100, still without virtual functions: they come at boot only with a whole machine. */
const a100 = () => new Host(fixtureFile('fixtures/nvidia-a100-sriov.json'));

/** A card with virtual functions whose driver is data. */
const fixture = (change: object, sriov = true): FixtureInput => ({
  name: 'x',
  iommu: { groups: [{ id: 0 }] },
  pci: {
    functions: [
      {
        address: '0000:00:02.0',
        vendor: '8086',
        device: '1572',
        class: '020000',
        configSize: 4096,
        iommuGroup: 0,
        sriov: { totalVfs: 4, vfDevice: '154c', totalMsix: 64, ...change },
        resources: [
          ...Array(7).fill(`0x${'0'.repeat(16)} 0x${'0'.repeat(16)} 0x${'0'.repeat(16)}`),
          '0x00000000f0000000 0x00000000f003ffff 0x0000000000040200',
        ],
      },
    ],
    drivers: [
      { name: 'card', ids: ['8086:1572'], binding: { sriov } },
      { name: 'virtual', ids: ['8086:154c'] },
    ],
  },
});

const card = '/sys/devices/pci0000:00/0000:00:02.0';

t.test('a physical function says how many virtual ones it can have, and where', async (t) => {
  const host = a100();
  const files = host.ls(PF).filter((name) => name.startsWith('sriov_'));
  t.strictSame(Object.fromEntries(files.map((name) => [name, host.cat(`${PF}/${name}`)])), {
    sriov_drivers_autoprobe: '1',
    sriov_numvfs: '0',
    sriov_offset: '4',
    sriov_stride: '1',
    sriov_totalvfs: '16',
    sriov_vf_device: '20f1',
    sriov_vf_total_msix: '0',
  });
  t.equal(host.process.lstat(NUMVFS).mode & 0o777, 0o644);
  const bridge = `${DEVICES}/0000:16:02.0`;
  t.notOk(host.exists(`${bridge}/sriov_totalvfs`));
  t.equal(host.cat(`${PF}/ari_enabled`), '1');
  t.equal(host.cat(`${bridge}/ari_enabled`), '0');
});

t.test('its configuration space has the capability, in the list', async (t) => {
  const host = a100();
  const config = host.read(`${PF}/config`);
  const seen: string[] = [];
  for (let at = 0x100; at !== 0; at = config.readUInt32LE(at) >>> 20) {
    seen.push(`${at.toString(16)}:${(config.readUInt32LE(at) & 0xffff).toString(16)}`);
  }
  t.strictSame(seen, [
    '100:2',
    '250:18',
    '258:1e',
    '128:4',
    '420:1',
    '600:b',
    '900:19',
    'bb0:15',
    'c10:e',
    'bcc:10',
  ]);
  const capability = config.subarray(0xbcc);
  t.equal(capability.readUInt16LE(0x08), 0x10, 'control: ARI, not enabled');
  t.strictSame(
    [0x0c, 0x0e, 0x10, 0x14, 0x16, 0x1a].map((register) => capability.readUInt16LE(register)),
    [16, 16, 0, 4, 1, 0x20f1],
  );
  t.equal(capability.readUInt32LE(0x24), 0xc6000000);
  t.equal(capability.readBigUInt64LE(0x28), 0x20300000000cn);
  await host.echo('16', NUMVFS);
  const after = host.read(`${PF}/config`).subarray(0xbcc);
  t.strictSame([after.readUInt16LE(0x08), after.readUInt16LE(0x10)], [0x19, 16]);
});

t.test(
  'writing sriov_numvfs makes them, with links both ways, memory and a group of their own',
  async (t) => {
    const host = a100();
    t.strictSame(host.ls('/sys/class/mdev_bus'), []);
    await host.echo('16', NUMVFS);
    t.equal(host.cat(NUMVFS), '16');
    t.equal(host.ls('/sys/class/mdev_bus').length, 16);
    t.equal(host.process.readlink(`${PF}/virtfn0`), '../0000:17:00.4');
    t.equal(host.process.readlink(`${PF}/virtfn15`), '../0000:17:02.3');
    t.equal(host.process.readlink(`${VF0}/physfn`), '../0000:17:00.0');
    t.equal(host.process.readlink(`${VF0}/driver`), '../../../../bus/pci/drivers/nvidia');
    t.strictSame(
      ['vendor', 'device', 'class', 'subsystem_device', 'numa_node'].map((name) =>
        host.cat(`${VF0}/${name}`),
      ),
      ['0x10de', '0x20f1', '0x030200', '0x145f', '0'],
    );
    t.equal(host.read(`${VF0}/config`).readUInt32LE(0), 0xffffffff, 'the ids are not in configuration space');
    t.equal(
      host.cat(`${LAST_VF}/resource`).split('\n')[1],
      '0x0000203f00000000 0x0000203fffffffff 0x000000000014220c',
    );
    t.equal(host.process.lstat(`${VF0}/resource1`).size, 2 ** 32);
    const groups = [PF, VF0, LAST_VF].map((path) =>
      host.process.readlink(`${path}/iommu_group`).split('/').pop(),
    );
    t.strictSame(groups, ['1', '2', '17']);
    t.ok(host.exists('/sys/class/iommu/dmar0/devices/0000:17:02.3'));
    t.notOk(host.exists(`${VF0}/sriov_numvfs`));
    t.match(host.cat(`${VF0}/uevent`), 'PCI_ID=10DE:20F1');
  },
);

t.test('0 takes all of them away, and everything is as before', async (t) => {
  const host = a100();
  const before = [host.ls(PF), host.ls(DEVICES), host.ls('/sys/kernel/iommu_groups')];
  await host.echo('5', NUMVFS);
  host.takeEvents();
  await host.echo('0', NUMVFS);
  t.equal(host.cat(NUMVFS), '0');
  t.strictSame([host.ls(PF), host.ls(DEVICES), host.ls('/sys/kernel/iommu_groups')], before);
  const own = host.takeEvents().filter((event) => event.endsWith('0000:17:00.4'));
  t.strictSame(
    own.map((event) => event.split('@')[0]),
    ['change', 'unbind', 'remove'],
  );
});

t.test('what can be written', async (t) => {
  const host = a100();
  for (const text of ['x', '', '-1', '65536', '99999999999999999999', ' 1']) {
    t.equal(host.echoErrno(text, NUMVFS), 'EINVAL', text);
  }
  t.equal(host.echoErrno('17', NUMVFS), 'ERANGE');
  t.equal(host.echoErrno('0', NUMVFS), undefined, 'what is there already');
  t.equal(host.echoErrno('0x4', NUMVFS), undefined);
  t.equal(host.echoErrno('4', NUMVFS), undefined, 'what is there already');
  t.equal(host.echoErrno('5', NUMVFS), 'EBUSY');
  t.equal(host.cat(NUMVFS), '4');
  t.equal(host.echoErrno('0', NUMVFS), undefined);
  t.equal(host.echoErrno('5', NUMVFS), undefined);
});

t.test('it takes a driver that does it', async (t) => {
  const host = a100();
  host.echo('0000:17:00.0', `${PF}/driver/unbind`);
  t.equal(host.echoErrno('4', NUMVFS), 'ENOENT');
  t.equal(host.echoErrno('0', NUMVFS), undefined);
  const other = new Host(fixture({}, false));
  t.equal(other.echoErrno('4', `${card}/sriov_numvfs`), 'ENOENT');
  t.equal(other.cat(`${card}/sriov_vf_total_msix`), '0', 'only such a driver knows');
  const able = new Host(fixture({}));
  t.equal(able.cat(`${card}/sriov_vf_total_msix`), '64');
});

t.test('uevents of one that comes', async (t) => {
  const host = new Host(fixture({}));
  host.takeEvents();
  host.echo('1', `${card}/sriov_numvfs`);
  const path = '/devices/pci0000:00/0000:00:02.1';
  t.strictSame(host.takeEvents(), [
    `add@${path}`,
    `change@${path}`,
    `bind@${path}`,
    'change@/devices/pci0000:00/0000:00:02.0',
  ]);
});

t.test('without autoprobe they get no driver but the one that they are overridden with', async (t) => {
  const host = new Host(fixture({}));
  const virtual = '/sys/devices/pci0000:00/0000:00:02.1';
  t.equal(host.echoErrno('2', `${card}/sriov_drivers_autoprobe`), 'EINVAL');
  host.echo('0', `${card}/sriov_drivers_autoprobe`);
  t.equal(host.cat(`${card}/sriov_drivers_autoprobe`), '0');
  host.echo('1', `${card}/sriov_numvfs`);
  t.notOk(host.exists(`${virtual}/driver`));
  t.equal(host.echoErrno('0000:00:02.1', '/sys/bus/pci/drivers/virtual/bind'), 'ENODEV');
  host.echo('virtual', `${virtual}/driver_override`);
  t.equal(host.echoErrno('0000:00:02.1', '/sys/bus/pci/drivers/virtual/bind'), undefined);
  t.ok(host.exists(`${virtual}/driver`));
});

t.test('sriov_vf_msix_count is written only, and no driver here takes it', async (t) => {
  const host = new Host(fixture({}));
  host.echo('1', `${card}/sriov_numvfs`);
  const count = '/sys/devices/pci0000:00/0000:00:02.1/sriov_vf_msix_count';
  t.equal(host.process.lstat(count).mode & 0o777, 0o200);
  t.equal(host.echoErrno('-1', count), 'EINVAL');
  t.equal(host.echoErrno('x', count), 'EINVAL');
  t.equal(host.echoErrno('8', count), 'EOPNOTSUPP');
});

t.test(
  'the physical function takes them along when it is removed, and has none when it is found again',
  async (t) => {
    const host = new Host(fixture({}));
    host.echo('4', `${card}/sriov_numvfs`);
    host.echo('1', '/sys/devices/pci0000:00/0000:00:02.2/remove');
    host.echo('1', `${card}/remove`);
    t.strictSame(host.ls(DEVICES), []);
    t.strictSame(host.ls('/sys/kernel/iommu_groups'), []);
    host.echo('1', '/sys/bus/pci/rescan');
    t.strictSame(host.ls(DEVICES), ['0000:00:02.0']);
    t.equal(host.cat(`${card}/sriov_numvfs`), '0');
    t.equal(host.echoErrno('4', `${card}/sriov_numvfs`), undefined);
    t.equal(host.ls(DEVICES).length, 5);
  },
);

t.test('one that was removed by itself is no hindrance', async (t) => {
  const host = new Host(fixture({}));
  host.echo('4', `${card}/sriov_numvfs`);
  host.echo('1', '/sys/devices/pci0000:00/0000:00:02.2/remove');
  host.echo('0', `${card}/sriov_numvfs`);
  t.strictSame(host.ls(DEVICES), ['0000:00:02.0']);
  t.strictSame(
    host.ls(card).filter((name) => name.startsWith('virtfn')),
    [],
  );
});

t.test('0 waits for whoever has a device of one of them', async (t) => {
  const host = a100();
  await host.echo('16', NUMVFS);
  const type = `${VF0}/mdev_supported_types/nvidia-468`;
  host.echo(uuidOf(1), `${type}/create`);
  const attach = '/sys/kernel/debug/mdevfs/attach';
  const fd = host.process.open(attach, 0o2);
  await host.process.write(fd, Buffer.from(`${uuidOf(1)}\n`));
  const removed = host.echo('0', NUMVFS);
  t.ok(asleep(removed));
  host.process.close(fd);
  await removed;
  t.strictSame(host.ls('/sys/class/mdev_bus'), []);
  t.equal(host.cat(NUMVFS), '0');
});

t.test('of an A100, each virtual function has one device, and all are of one type', async (t) => {
  const host = a100();
  await host.echo('16', NUMVFS);
  const available = (vf: string, type: number) =>
    host.cat(`/sys/class/mdev_bus/0000:17:${vf}/mdev_supported_types/nvidia-${type}/available_instances`);
  const create = (n: number, vf: string, type: number) =>
    host.echoErrno(uuidOf(n), `/sys/class/mdev_bus/0000:17:${vf}/mdev_supported_types/nvidia-${type}/create`);
  t.strictSame([available('00.4', 471), available('00.4', 473)], ['1', '1']);
  t.equal(create(1, '00.4', 471), undefined);
  t.equal(available('00.4', 471), '0', 'it has one');
  t.equal(create(2, '00.4', 471), 'ENOSPC');
  t.equal(available('00.5', 471), '1');
  t.equal(available('00.5', 473), '0', 'another type');
  t.equal(create(2, '00.5', 473), 'ENOSPC');
  for (const [n, vf] of ['00.5', '00.6', '00.7'].entries()) t.equal(create(n + 2, vf, 471), undefined);
  t.equal(available('02.3', 471), '0', 'the GPU has memory for four');
  t.equal(create(9, '02.3', 471), 'ENOSPC');
  for (const n of [1, 2, 3, 4]) host.echo('1', `/sys/bus/mdev/devices/${uuidOf(n)}/remove`);
  t.equal(available('02.3', 473), '1');
});

t.test('faults in a fixture', async (t) => {
  const faults = (change: object, more: object = {}) => {
    const written = fixture(change);
    Object.assign(written.pci!.functions![0]!, more);
    try {
      new Host(written);
      return [];
    } catch (error) {
      return (error as { faults: string[] }).faults;
    }
  };
  t.strictSame(faults({ totalVfs: 255 }), [
    'test: pci.functions[0].sriov.totalVfs: expected as many as have numbers up to 255, got the number 271',
  ]);
  t.strictSame(faults({ numVfs: 5 }), ['test: pci.functions[0].sriov.numVfs: expected at most 4, got 5']);
  t.strictSame(faults({}, { configSize: 256 }), [
    'test: pci.functions[0].configSize: expected 4096, since there is "sriov"',
  ]);
});
