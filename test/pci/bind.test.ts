import t from 'tap';
import { card, Host, q35 } from './host.js';

const CARD = '/sys/bus/pci/devices/0000:01:00.0';
const DEVPATH = '/devices/pci0000:00/0000:00:06.0/0000:01:00.0';
const drivers = '/sys/bus/pci/drivers';

t.test('a driver that leaves puts the device back as it was', async (t) => {
  const host = new Host(q35());
  const before = host.read(`${CARD}/config`).toString('hex');
  host.machine.modprobe('e1000e');
  t.not(host.read(`${CARD}/config`).toString('hex'), before);
  t.strictSame(host.ls(`${CARD}/msi_irqs`), ['34', '35', '36']);
  t.equal(host.cat(`${CARD}/net/eth1/address`), '52:54:00:12:34:57');
  t.equal(
    host.process.readlink('/sys/class/net/eth1'),
    '../../devices/pci0000:00/0000:00:06.0/0000:01:00.0/net/eth1',
  );
  host.takeEvents();
  host.echo('0000:01:00.0', `${CARD}/driver/unbind`);
  t.strictSame(host.takeEvents(), [
    `remove@${DEVPATH}/net/eth1/queues/tx-0`,
    `remove@${DEVPATH}/net/eth1`,
    `unbind@${DEVPATH}`,
  ]);
  t.equal(host.read(`${CARD}/config`).toString('hex'), before);
  t.equal(host.cat(`${CARD}/enable`), '0');
  t.equal(host.cat(`${CARD}/power_state`), 'unknown');
  t.equal(host.cat(`${CARD}/dma_mask_bits`), '64', 'the mask stays with the device');
  for (const name of ['net', 'msi_irqs', 'driver', 'waiting_for_supplier'])
    t.notOk(host.exists(`${CARD}/${name}`), name);
});

t.test('a device with an override takes the driver of that name and no other', async (t) => {
  const host = new Host(q35());
  host.machine.modprobe('vgpu_oracle');
  t.equal(host.echoErrno('0000:01:00.0', `${drivers}/vgpu/bind`), 'ENODEV', 'nothing matches');
  host.echo('vgpu', `${CARD}/driver_override`);
  host.machine.modprobe('e1000e');
  t.notOk(host.exists(`${CARD}/driver`), 'e1000e leaves it alone');
  host.echo('0000:01:00.0', '/sys/bus/pci/drivers_probe');
  t.equal(host.process.readlink(`${CARD}/driver`), '../../../../bus/pci/drivers/vgpu');
  t.equal(host.echoErrno('0000:01:00.0', `${drivers}/vgpu/bind`), 'EBUSY');
});

t.test('ids can be added to a driver and taken back', async (t) => {
  const host = new Host(q35());
  host.machine.modprobe('vgpu_oracle');
  host.echo('8086 10d3', `${drivers}/vgpu/new_id`);
  t.strictSame(
    host.ls(`${drivers}/vgpu`).filter((name) => name.startsWith('0000:')),
    ['0000:00:04.0', '0000:01:00.0'],
    'what matches is bound at once',
  );
  t.equal(host.echoErrno('8086 10d3', `${drivers}/vgpu/new_id`), 'EEXIST');
  t.equal(host.echoErrno('8086', `${drivers}/vgpu/new_id`), 'EINVAL');
  t.equal(
    host.echoErrno('8086 10d3 0 0 0 0 5', `${drivers}/pcieport/new_id`),
    'EINVAL',
    'unknown driver data',
  );
  host.echo('0000:01:00.0', `${drivers}/vgpu/unbind`);
  host.echo('8086 10d3', `${drivers}/vgpu/remove_id`);
  t.equal(host.echoErrno('8086 10d3', `${drivers}/vgpu/remove_id`), 'ENODEV');
  t.equal(host.echoErrno('0000:01:00.0', `${drivers}/vgpu/bind`), 'ENODEV');
  t.ok(host.exists(`${drivers}/vgpu/0000:00:04.0`), 'what is bound stays bound');
});

t.test('vectors get the lowest free numbers', async (t) => {
  const msi = { '34': '40', '40': '0500', '06': '1000' };
  const functions = [0, 1].map((n) => card({ address: `0000:00:0${n}.0`, config: msi }));
  const drivers = [{ name: 'test', ids: ['1234:*'], binding: { vectors: 1 } }];
  const host = new Host({ name: 'x', pci: { functions, drivers } });
  const vectors = (n: number) => host.ls(`/sys/bus/pci/devices/0000:00:0${n}.0/msi_irqs`);
  t.strictSame([vectors(0), vectors(1)], [['24'], ['25']]);
  for (const n of [0, 1]) host.echo(`0000:00:0${n}.0`, '/sys/bus/pci/drivers/test/unbind');
  for (const n of [1, 0]) host.echo(`0000:00:0${n}.0`, '/sys/bus/pci/drivers/test/bind');
  t.strictSame([vectors(0), vectors(1)], [['25'], ['24']]);
  t.equal(host.cat('/sys/bus/pci/devices/0000:00:00.0/msi_irqs/25'), 'msi');
});

t.test('a driver that cannot get vectors fails to bind and leaves nothing behind', async (t) => {
  const drivers = [{ name: 'test', binding: { vectors: 1 } }];
  const host = new Host({ name: 'x', pci: { functions: [card()], drivers } });
  const path = '/sys/bus/pci/devices/0000:00:02.0';
  host.echo('test', `${path}/driver_override`);
  t.equal(host.echoErrno('0000:00:02.0', '/sys/bus/pci/drivers/test/bind'), 'ENOSPC');
  t.equal(host.cat(`${path}/enable`), '0');
  t.notOk(host.exists(`${path}/driver`));
});
