import t from 'tap';
import type { FixtureInput } from '../../src/machine/fixture.js';
import { VFIO_DEVICE_GET_REGION_INFO } from '../../src/uapi/vfio.js';
import { VFIO_DEVICE_RESET } from '../../src/uapi/vfio-irq.js';
import { Host, uuidOf } from '../pci/host.js';
import { Opened, outcome, words } from './opened.js';

const CSS = '/sys/devices/css0';
const TYPE = `${CSS}/0.0.0313/mdev_supported_types/vfio_ccw-io`;
const kept = { id: '0.0.0313', device: '0.0.1b2f', chpids: [0x40, 0x41], driverOverride: 'vfio_ccw' };
const free = { id: '0.0.0314' };

function css(...subchannels: NonNullable<FixtureInput['css']>['subchannels'] & object) {
  return new Host({ name: 'x', modules: ['vfio_ccw', 'vfio_iommu_type1'], css: { subchannels } });
}

t.test('a subchannel kept for vfio_ccw is a parent with one instance', async (t) => {
  const host = css(kept, free);
  t.equal(host.process.readlink('/sys/class/mdev_bus/0.0.0313'), '../../devices/css0/0.0.0313');
  t.equal(host.process.readlink(`${CSS}/0.0.0313/subsystem`), '../../../bus/css');
  t.equal(host.cat(`${TYPE}/name`), 'I/O subchannel (Non-QDIO)');
  t.equal(host.cat(`${TYPE}/device_api`), 'vfio-ccw');
  t.notOk(host.exists(`${TYPE}/description`));
  t.equal(host.cat(`${TYPE}/available_instances`), '1');
  host.echo(uuidOf(1), `${TYPE}/create`);
  t.equal(host.cat(`${TYPE}/available_instances`), '0');
  t.equal(host.echoErrno(uuidOf(2), `${TYPE}/create`), 'EUSERS');
  t.equal(host.cat(`${CSS}/0.0.0313/uevent`), 'DRIVER=vfio_ccw\nST=0\nMODALIAS=css:t0');
});

t.test('a subchannel shows its device and its paths', async (t) => {
  const host = css(kept, free);
  const show = (id: string) =>
    ['type', 'modalias', 'dev_busid', 'chpids', 'pimpampom', 'driver_override'].map((name) =>
      host.cat(`${CSS}/${id}/${name}`),
    );
  t.strictSame(show('0.0.0313'), [
    '0',
    'css:t0',
    '0.0.1b2f',
    '40 41 00 00 00 00 00 00 ',
    'c0 c0 ff',
    'vfio_ccw',
  ]);
  t.strictSame(show('0.0.0314'), ['0', 'css:t0', 'none', '00 00 00 00 00 00 00 00 ', '00 00 ff', '(null)']);
});

t.test('other subchannels are given to vfio_ccw by hand', async (t) => {
  const host = css(free);
  const dir = `${CSS}/0.0.0314`;
  t.equal(host.process.readlink(`${dir}/driver`), '../../../bus/css/drivers/io_subchannel');
  host.echo('vfio_ccw', `${dir}/driver_override`);
  t.equal(host.echoErrno('0.0.0314', '/sys/bus/css/drivers/vfio_ccw/bind'), 'EBUSY');
  host.echo('0.0.0314', `${dir}/driver/unbind`);
  host.echo('0.0.0314', '/sys/bus/css/drivers_probe');
  t.ok(host.exists('/sys/class/mdev_bus/0.0.0314'));
  host.echo('', `${dir}/driver_override`);
  t.equal(host.cat(`${dir}/driver_override`), '(null)');
  await host.machine.rmmod('vfio_ccw');
  t.notOk(host.exists('/sys/class/mdev_bus/0.0.0314'));
  t.notOk(host.exists(`${dir}/driver`));
});

t.test('a QDIO device is refused', async (t) => {
  const host = css({ ...kept, qdio: true });
  t.notOk(host.exists(`${CSS}/0.0.0313/driver`));
  t.equal(host.echoErrno('0.0.0313', '/sys/bus/css/drivers/vfio_ccw/bind'), 'ENODEV');
});

function opened(): Opened {
  const host = css(kept);
  host.echo(uuidOf(1), `${TYPE}/create`);
  return new Opened(host.machine, uuidOf(1));
}

t.test('a device has four regions and three interrupts', async (t) => {
  const device = opened();
  t.strictSame(device.info(), [0x11, 4, 3]);
  t.strictSame(device.region(0), [3, 124, 0]);
  t.strictSame(
    [1, 2, 3].map((index) => device.region(index, 48)),
    [
      [3 + 8, 8, 1024],
      [1 + 8, 52, 2048],
      [1 + 8, 8, 3072],
    ],
  );
  const info = Buffer.concat([words(48, 0, 2), Buffer.alloc(36)]);
  device.ioctl(VFIO_DEVICE_GET_REGION_INFO, info);
  t.strictSame(info.subarray(32), Buffer.from('02000100000000000200000002000000', 'hex'));
  t.equal(
    outcome(() => device.region(4)),
    'EINVAL',
  );
  for (const index of [0, 1, 2]) t.strictSame(device.irq(index), [1, 1]);
  t.equal(
    outcome(() => device.irq(3)),
    'EINVAL',
  );
  t.equal(device.ioctl(VFIO_DEVICE_RESET), 0);
  t.equal(
    outcome(() => device.ioctl(0x3bff)),
    'ENOTTY',
  );
});

t.test('the state of the subchannel names its device and its paths', async (t) => {
  const device = opened();
  t.equal(device.read(24, 2048), '0000000000811b2f000000c0' + '0000ffc0' + '4041000000000000');
});

t.test('what is started ends as without a device, and says so in the region', async (t) => {
  const device = opened();
  const start = (word: string) => outcome(() => device.write('00'.repeat(12) + word, 0));
  t.equal(start('00004000'), 'ENODEV');
  t.equal(device.read(4, 120), words(-19).toString('hex'));
  t.equal(start('00002000'), 'EOPNOTSUPP');
  t.equal(start('00000000'), 16);
  t.equal(device.read(4, 120), words(0).toString('hex'));
  t.equal(
    outcome(() => device.write('01000000', 1024)),
    'ENODEV',
  );
  for (const offset of [2048, 3072, 4096, 121]) {
    t.equal(
      outcome(() => device.write('00000000', offset)),
      'EINVAL',
      `offset ${offset}`,
    );
  }
});

t.test('interrupts take an eventfd each, which can be signalled and taken back', async (t) => {
  const device = opened();
  const eventfd = device.process.eventfd();
  const [NONE, BOOL, EVENTFD, TRIGGER] = [1, 2, 4, 32] as [number, number, number, number];
  device.setIrqs(1, TRIGGER | EVENTFD, words(eventfd));
  device.setIrqs(1, TRIGGER | NONE);
  device.setIrqs(0, TRIGGER | NONE);
  device.setIrqs(1, TRIGGER | BOOL, Buffer.from([1]));
  device.setIrqs(1, TRIGGER | BOOL, Buffer.from([0]));
  t.equal(device.signals(eventfd), 2);
  device.setIrqs(1, TRIGGER | EVENTFD, words(-1));
  device.setIrqs(1, TRIGGER | NONE);
  t.equal(device.signals(eventfd), 0);
  for (const [flags, data] of [
    [8 | NONE, Buffer.alloc(0)],
    [TRIGGER | EVENTFD, words(-2)],
    [TRIGGER | EVENTFD, words(device.container)],
  ] as const) {
    t.equal(
      outcome(() => device.setIrqs(1, flags, data)),
      'EINVAL',
    );
  }
});

t.test('user space is asked back through the third interrupt', async (t) => {
  const device = opened();
  const eventfd = device.process.eventfd();
  device.setIrqs(2, 32 | 4, words(eventfd));
  const { machine } = device;
  const shell = machine.process();
  const remove = shell.open(`${CSS}/0.0.0313/${uuidOf(1)}/remove`, 1);
  const removed = shell.write(remove, Buffer.from('1'));
  t.equal(device.signals(eventfd), 1);
  for (const fd of [device.fd, device.group]) device.process.close(fd);
  t.equal(await removed, 1);
});
