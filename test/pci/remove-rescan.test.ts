import t from 'tap';
import type { KernfsDir } from '../../src/kernfs/dir.js';
import { asleep } from '../../src/lib/sleep.js';
import type { MdevDevice } from '../../src/mdev/device.js';
import type { VfioDevice } from '../../src/vfio/device.js';
import { Host, q35, uuidOf } from './host.js';

const ADDRESS = '0000:01:00.0';
const CARD = `/sys/bus/pci/devices/${ADDRESS}`;
const PORT = '/sys/bus/pci/devices/0000:00:06.0';
const DEVPATH = `/devices/pci0000:00/0000:00:06.0/${ADDRESS}`;
const WAKEUP = '/devices/LNXSYSTM:00/LNXSYBUS:00/PNP0A08:00/device:05/device:06/wakeup/wakeup8';

/** The card as a parent of one mediated device. */
function parent(): Host {
  const host = new Host(q35());
  host.machine.modprobe('vgpu_oracle');
  host.echo('vgpu', `${CARD}/driver_override`);
  host.echo(ADDRESS, '/sys/bus/pci/drivers_probe');
  host.echo(uuidOf(1), `${CARD}/mdev_supported_types/vgpu-vga/create`);
  host.takeEvents();
  return host;
}

t.test('a removed parent takes its devices along, in this order', async (t) => {
  const host = parent();
  host.echo('1', `${CARD}/remove`);
  t.strictSame(host.takeEvents(), [
    `remove@${DEVPATH}/${uuidOf(1)}/vfio-dev/vfio0`,
    'remove@/devices/virtual/vfio/7',
    `unbind@${DEVPATH}/${uuidOf(1)}`,
    `remove@${DEVPATH}/${uuidOf(1)}`,
    `change@${DEVPATH}`,
    `unbind@${DEVPATH}`,
    `remove@${WAKEUP}`,
    `remove@${DEVPATH}`,
  ]);
  for (const path of [
    CARD,
    `/sys${DEVPATH}`,
    `/sys/class/mdev_bus/${ADDRESS}`,
    '/sys/bus/pci/drivers/vgpu/0000:01:00.0',
  ]) {
    t.notOk(host.exists(path), path);
  }
  t.strictSame(host.ls('/sys/kernel/iommu_groups/5/devices'), ['0000:00:06.0']);
  t.notOk(host.exists(`/sys/devices/virtual/iommu/dmar0/devices/${ADDRESS}`));
});

t.test('a rescan finds it again, and its usual driver takes it', async (t) => {
  const host = parent();
  host.machine.modprobe('e1000e');
  host.echo('1', `${CARD}/remove`);
  host.takeEvents();
  host.echo('1', '/sys/bus/pci/rescan');
  t.strictSame(host.takeEvents(), [
    `add@${WAKEUP}`,
    `add@${DEVPATH}`,
    `add@${DEVPATH}/net/eth1`,
    `add@${DEVPATH}/net/eth1/queues/tx-0`,
    `bind@${DEVPATH}`,
  ]);
  t.equal(host.cat(`${CARD}/driver_override`), '(null)', 'the override went with the device');
  t.strictSame(host.ls('/sys/kernel/iommu_groups/5/devices'), ['0000:00:06.0', ADDRESS]);
});

t.test('a rescan with everything in place does nothing', async (t) => {
  const host = parent();
  for (const file of ['/sys/bus/pci/rescan', `${PORT}/rescan`, '/sys/class/pci_bus/0000:01/rescan']) {
    host.echo('1', file);
    host.echo('0', file);
    t.equal(host.echoErrno('x', file), 'EINVAL');
  }
  t.strictSame(host.takeEvents(), []);
});

t.test('autoprobe does not keep drivers from what a rescan finds', async (t) => {
  const host = new Host(q35());
  host.machine.modprobe('e1000e');
  host.echo('0', '/sys/bus/pci/drivers_autoprobe');
  host.echo('1', `${CARD}/remove`);
  host.echo('1', '/sys/bus/pci/rescan');
  t.ok(host.exists(`${CARD}/driver`));
});

t.test('remove takes a number', async (t) => {
  const host = parent();
  t.equal(host.echoErrno('x', `${CARD}/remove`), 'EINVAL');
  t.equal(host.echoErrno('0', `${CARD}/remove`), undefined);
  t.ok(host.exists(CARD));
});

t.test('removal waits for who has a device open', async (t) => {
  const host = parent();
  const vdev = vdevOf(host);
  t.ok(vdev.tryGet());
  const removed = host.echo('1', `${CARD}/remove`);
  if (!asleep(removed)) return t.fail('should sleep');
  t.notOk(host.exists(`${CARD}/remove`), 'the file takes itself out first');
  t.ok(host.exists(CARD));
  t.strictSame(host.takeEvents(), [`remove@${DEVPATH}/${uuidOf(1)}/vfio-dev/vfio0`]);
  const rescanned = host.echo('1', '/sys/bus/pci/rescan');
  t.ok(asleep(rescanned), 'a rescan waits its turn');
  vdev.putRegistration();
  t.equal(await removed, 2);
  await rescanned;
  t.ok(host.exists(`${CARD}/remove`), 'and finds the device again');
});

/** What the driver keeps with the mediated device. */
function vdevOf(host: Host): VfioDevice {
  let dir = host.machine.sysfs;
  for (const name of `${DEVPATH}/${uuidOf(1)}`.split('/').slice(1)) dir = dir.lookup(name) as KernfsDir;
  return (dir.owner as MdevDevice).driverData as VfioDevice;
}

t.test('a bridge goes with all below it, the deepest first, and comes back whole', async (t) => {
  const host = new Host(q35());
  host.machine.modprobe('e1000e');
  const before = host.ls('/sys/bus/pci/devices');
  host.takeEvents();
  host.echo('1', `${PORT}/remove`);
  t.strictSame(
    host.takeEvents().filter((event) => /^(unbind|remove)@.*(0000:0.:0.\..|pci_bus\/0000:01)$/.test(event)),
    [
      `unbind@${DEVPATH}`,
      'unbind@/devices/pci0000:00/0000:00:06.0',
      `remove@${DEVPATH}`,
      'remove@/devices/pci0000:00/0000:00:06.0/pci_bus/0000:01',
      'remove@/devices/pci0000:00/0000:00:06.0',
    ],
  );
  t.notOk(host.exists('/sys/kernel/iommu_groups/5'), 'the group lost its last device');
  host.echo('1', '/sys/bus/pci/rescan');
  t.strictSame(host.ls('/sys/bus/pci/devices'), before);
  t.equal(host.process.readlink(`${CARD}/iommu_group`), '../../../../kernel/iommu_groups/5');
  t.ok(host.exists(`${CARD}/net`));
});

t.test(
  'a bridge takes along the bus that was found behind it, whatever number was written to it since',
  async (t) => {
    const host = new Host(q35());
    const shell = host.machine.process();
    const config = shell.open(`${PORT}/config`, 2);
    // PCI_SECONDARY_BUS
    shell.pwrite(config, Buffer.from([0x61]), 0x19);
    shell.close(config);
    host.echo('1', `${PORT}/remove`);
    t.notOk(host.exists(CARD));
    t.notOk(host.exists('/sys/class/pci_bus/0000:01'));
    host.echo('1', '/sys/bus/pci/rescan');
    t.ok(host.exists(PORT));
    t.ok(host.exists('/sys/class/pci_bus/0000:61'), 'the next scan finds it by its new number');
    t.notOk(host.exists(CARD), 'and nothing behind it');
  },
);
