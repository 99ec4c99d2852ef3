import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { checkFixture, FixtureError, type FixtureInput } from '../../src/machine/fixture.js';
import { Machine } from '../../src/machine/machine.js';
import { checkState, machineState } from '../../src/machine/state.js';
import { VFIO_GROUP_GET_DEVICE_FD, VFIO_GROUP_SET_CONTAINER, VFIO_SET_IOMMU } from '../../src/uapi/vfio.js';
import { recordedTree } from '../conformance/hosts/recorded-tree.js';
import type { Snapshot } from '../conformance/recording.js';
import { uuidOf } from '../mdev/machine.js';
import { take } from './snapshots.js';
import { StoppedClock } from './stopped-clock.js';

const O_RDWR = 2;
const nic = (slot: number, more: object = {}) => ({
  address: `0000:00:0${slot}.0`,
  vendor: '8086',
  device: '10d3',
  class: '020000',
  ...more,
});

const fixture = (change: object = {}): FixtureInput => ({
  name: 'host',
  iommu: { groups: [{ id: 0 }, { id: 1 }] },
  pci: {
    functions: [
      nic(1, { iommuGroup: 0 }),
      nic(2, { iommuGroup: 1 }),
      nic(3, { iommuGroup: 1 }),
      nic(4),
      nic(5, { iommuGroup: 0, class: '060400', config: { '0e': '01', '19': '01' } }),
    ],
    drivers: [
      { name: 'e1000e', ids: ['8086:10d3'] },
      { name: 'vfio-pci', module: 'vfio_pci', builtin: false, binding: { enable: false, vfio: true } },
    ],
  },
  modules: ['vfio_iommu_type1', 'mtty', 'vfio_pci'],
  ...change,
});

class Host {
  readonly machine: Machine;
  readonly process;

  constructor(input: FixtureInput, state?: Parameters<typeof Machine.fromFixture>[1]) {
    this.machine = Machine.fromFixture(checkFixture(input, 'test'), { clock: new StoppedClock(), ...state });
    this.process = this.machine.process();
  }

  list(path: string): string[] {
    return this.process.exists(path) ? this.process.list(path).sort() : [];
  }

  read(path: string): string {
    const fd = this.process.open(path, 0);
    const text = Buffer.from(this.process.read(fd, 4096)).toString();
    this.process.close(fd);
    return text;
  }

  /** As driverctl does it. */
  assign(slot: number, driver: string) {
    const device = `/sys/bus/pci/devices/0000:00:0${slot}.0`;
    this.machine.unbind(device);
    this.machine.write(`${device}/driver_override`, driver);
    return this.machine.write('/sys/bus/pci/drivers_probe', `0000:00:0${slot}.0`);
  }
}

t.test('a function that vfio-pci has shows a group and a VFIO device, until it is unbound', (t) => {
  const host = new Host(fixture());
  t.equal(host.read('/sys/module/vfio/refcnt'), '3\n', 'three modules');
  host.assign(2, 'vfio-pci');
  t.strictSame(host.list('/sys/class/vfio'), ['1']);
  t.strictSame(host.list('/sys/class/vfio-dev'), ['vfio0']);
  t.equal(
    host.process.realpath('/sys/class/vfio-dev/vfio0'),
    '/sys/devices/pci0000:00/0000:00:02.0/vfio-dev/vfio0',
  );
  t.ok(host.process.exists('/sys/kernel/debug/vfio/0000:00:02.0'));
  t.strictSame(host.list('/dev/vfio'), ['1', 'devices', 'vfio']);
  t.equal(host.read('/sys/module/vfio/refcnt'), '4\n', 'and the first device');
  host.assign(3, 'vfio-pci');
  t.strictSame([host.list('/sys/class/vfio'), host.list('/sys/class/vfio-dev')], [['1'], ['vfio0', 'vfio1']]);
  host.assign(1, 'vfio-pci');
  t.strictSame(host.list('/sys/class/vfio'), ['0', '1']);
  t.equal(host.read('/sys/module/vfio/refcnt'), '4\n');
  host.assign(2, 'e1000e');
  t.strictSame(
    [host.list('/sys/class/vfio'), host.list('/sys/class/vfio-dev')],
    [
      ['0', '1'],
      ['vfio1', 'vfio2'],
    ],
    'a group stays while it has a device',
  );
  host.assign(3, 'e1000e');
  t.strictSame(host.list('/sys/class/vfio'), ['0']);
  t.equal(host.process.readlink('/sys/bus/pci/devices/0000:00:03.0/iommu_group').split('/').at(-1), '1');
  host.machine.createMdev('mtty', 'mtty-1', uuidOf(0));
  t.strictSame(host.list('/sys/class/vfio-dev'), ['vfio0', 'vfio2'], 'with mediated devices beside it');
  host.machine.rmmod('vfio_pci');
  t.strictSame(host.list('/sys/class/vfio-dev'), ['vfio0']);
  t.end();
});

t.test('without an IOMMU group, and on a bridge, it is refused', (t) => {
  const host = new Host(fixture());
  for (const slot of [4, 5]) {
    const device = `/sys/bus/pci/devices/0000:00:0${slot}.0`;
    host.machine.unbind(device);
    host.machine.write(`${device}/driver_override`, 'vfio-pci');
    const bind = () => host.machine.write('/sys/bus/pci/drivers/vfio-pci/bind', `0000:00:0${slot}.0`);
    t.throws(bind, { code: 'EINVAL' });
  }
  t.equal(host.read('/sys/module/vfio/refcnt'), '3\n');
  t.strictSame(host.list('/sys/class/vfio-dev'), []);
  t.end();
});

t.test('its group joins a container, and opening its device is EIO', (t) => {
  const host = new Host(fixture());
  host.assign(2, 'vfio-pci');
  host.assign(3, 'vfio-pci');
  const { process } = host;
  const container = process.open('/dev/vfio/vfio', O_RDWR);
  const group = process.open('/dev/vfio/1', O_RDWR);
  const number = Buffer.alloc(4);
  number.writeInt32LE(container);
  process.ioctl(group, VFIO_GROUP_SET_CONTAINER, number);
  process.ioctl(container, VFIO_SET_IOMMU, 1);
  const open = (name: string) => process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${name}\0`));
  t.throws(() => open('0000:00:03.0'), { code: 'EIO' });
  t.throws(() => open('0000:00:01.0'), { code: 'ENODEV' }, 'in another group');
  process.exit();
  host.assign(3, 'e1000e');
  t.strictSame(host.list('/sys/class/vfio-dev'), ['vfio0']);
  t.end();
});

t.test('numbers are those of the fixture, and stay over restarts', (t) => {
  const input = fixture();
  const [first] = input.pci!.functions!;
  Object.assign(first!, { driverOverride: 'vfio-pci', vfioGroup: 3, vfioDevice: 2 });
  const host = new Host(input);
  const shown = (of: Host) =>
    of
      .list('/sys/class/vfio-dev')
      .map((name) => [
        name,
        of.process.realpath(`/sys/class/vfio-dev/${name}`).split('/').at(-3),
        of.read(
          `/sys/class/vfio/${of.process.readlink(`/sys/class/vfio-dev/${name}/device/iommu_group`).split('/').at(-1)}/dev`,
        ),
      ]);
  host.machine.createMdev('mtty', 'mtty-1', uuidOf(0));
  host.assign(3, 'vfio-pci');
  const before = shown(host);
  t.strictSame(
    before.map(([name, device]) => [name, device]),
    [
      ['vfio0', uuidOf(0)],
      ['vfio1', '0000:00:03.0'],
      ['vfio2', '0000:00:01.0'],
    ],
  );
  t.match(before[2]![2], /:3\n$/);
  const state = checkState(JSON.parse(JSON.stringify(machineState(host.machine))), 'state');
  t.strictSame(shown(new Host(input, { state })), before);
  t.end();
});

t.test('modules that hold others without being modelled keep them loaded', (t) => {
  const modules = [{ name: 'vfio', holders: ['vfio_pci_core'] }];
  const host = new Host({ name: 'host', modules });
  t.equal(host.read('/sys/module/vfio/refcnt'), '1\n');
  t.equal(host.process.readlink('/sys/module/vfio/holders/vfio_pci_core'), '../../vfio_pci_core');
  t.throws(() => host.machine.rmmod('vfio'), { code: 'EAGAIN' });
  const state = machineState(host.machine);
  t.equal(new Host({ name: 'host' }, { state }).read('/sys/module/vfio/refcnt'), '1\n');
  t.end();
});

t.test('a driver of VFIO has to be a module', (t) => {
  const input = fixture();
  input.pci!.drivers![1]!.builtin = true;
  t.throws(
    () => checkFixture(input, 'test'),
    new FixtureError([
      'test: pci.drivers[1].builtin: expected false and the name of a module, since VFIO is a module',
    ]),
  );
  t.end();
});

t.test('a recorded function in the hands of vfio-pci is one in its snapshot', (t) => {
  const file = '../../../test/data/oracle/snapshots/pci-intel-02-vfio-pci.json';
  const text = readFileSync(fileURLToPath(new URL(file, import.meta.url)), 'utf8');
  const { fixture, machine } = take(recordedTree(JSON.parse(text) as Snapshot));
  t.strictSame(fixture.overrides, {});
  const process = machine.process();
  machine.unbind('/sys/bus/pci/devices/0000:00:05.0');
  t.strictSame(process.list('/sys/class/vfio-dev'), []);
  t.notOk(process.exists('/dev/vfio/4'));
  machine.write('/sys/bus/pci/drivers_probe', '0000:00:05.0');
  t.strictSame(process.list('/sys/class/vfio-dev'), ['vfio0']);
  t.end();
});
