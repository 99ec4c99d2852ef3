import t from 'tap';
import { changeApMask, formatApMask, parseApMask } from '../../src/drivers/ap-mask.js';
import { FixtureError, type FixtureInput } from '../../src/machine/fixture.js';
import { errnoOf, Host, uuidOf } from '../pci/host.js';

const BUS = '/sys/bus/ap';
const AP = '/sys/devices/ap';
const ALL = `0x${'f'.repeat(64)}`;
const padded = (digits: string) => `0x${digits.padEnd(64, '0')}`;

/** Adapters 3 and 5 with domains 4 and 71; the host keeps those of adapter 3. */
function host(change: FixtureInput['ap'] = {}, modules: FixtureInput['modules'] = ['vfio_ap']) {
  return new Host({
    name: 'x',
    modules,
    ap: {
      maxAdapter: 63,
      maxDomain: 84,
      adapters: [
        { id: 3, type: 'CEX5C', serial: '93AABEET' },
        { id: 5, type: 'CEX8A' },
      ],
      domains: [4, 71],
      controlDomains: [4],
      apmask: '0x10',
      aqmask: ALL,
      ...change,
    },
  });
}

const driverOf = (on: Host, name: string) => {
  const link = `${BUS}/devices/${name}/driver`;
  return on.exists(link) ? on.process.readlink(link).split('/').at(-1) : 'none';
};

const QUEUES = ['03.0004', '03.0047', '05.0004', '05.0047'];
const drivers = (on: Host) => QUEUES.map((name) => driverOf(on, name));
const told = (on: Host) =>
  on.events
    .splice(0)
    .map(({ action, devpath, env }) => [
      `${action}@${devpath}`,
      ...env.filter((variable) => /^(DRIVER|BINDINGS|AP|AQ|CONFIG|ONLINE)/.test(variable)),
    ])
    .map((words) => words.join(' '));

t.test('cards and their queues stand below one device, and on the bus', async (t) => {
  const on = host();
  t.strictSame(on.ls(`${BUS}/devices`), [...QUEUES, 'card03', 'card05']);
  t.equal(on.process.readlink(`${BUS}/devices/05.0047`), '../../../devices/ap/card05/05.0047');
  t.strictSame(on.ls(AP), ['card03', 'card05', 'power', 'uevent']);
  t.equal(on.process.readlink(`${AP}/card03/driver`), '../../../bus/ap/drivers/cex4card');
  t.strictSame(on.ls(`${BUS}/drivers`), ['cex4card', 'cex4queue', 'vfio_ap']);
  t.equal(on.process.readlink(`${BUS}/drivers/vfio_ap/module`), '../../../../module/vfio_ap');
});

t.test('a card says what it is', async (t) => {
  const on = host();
  const show = (card: string) =>
    Object.fromEntries(
      on
        .ls(`${AP}/${card}`)
        .filter((name) => !/^(power|subsystem|driver|\d\d\..*)$/.test(name))
        .map((name) => [name, on.cat(`${AP}/${card}/${name}`)]),
    );
  const same = {
    chkstop: '0',
    config: '1',
    depth: '7',
    load: '0',
    max_msg_size: '12288',
    online: '1',
    pendingq_count: '0',
    request_count: '0',
    requestq_count: '0',
  };
  t.strictSame(show('card03'), {
    ...same,
    ap_functions: '0x92000000',
    hwtype: '11',
    modalias: 'ap:t0B',
    raw_hwtype: '11',
    serialnr: '93AABEET',
    type: 'CEX5C',
    uevent: 'DEVTYPE=ap_card\nDRIVER=cex4card\nDEV_TYPE=000B\nMODALIAS=ap:t0B\nMODE=cca',
  });
  t.strictSame(show('card05'), {
    ...same,
    ap_functions: '0xEA000000',
    hwtype: '14',
    modalias: 'ap:t0E',
    raw_hwtype: '14',
    type: 'CEX8A',
    uevent: 'DEVTYPE=ap_card\nDRIVER=cex4card\nDEV_TYPE=000E\nMODALIAS=ap:t0E\nMODE=accel',
  });
});

t.test('a queue of the host is online, one for guests has a status', async (t) => {
  const on = host();
  const common = [
    ...['ap_functions', 'chkstop', 'config', 'driver', 'interrupt', 'pendingq_count', 'power'],
    ...['request_count', 'requestq_count', 'reset', 'subsystem', 'uevent'],
  ];
  t.strictSame(on.ls(`${AP}/card03/03.0004`), [...common, 'load', 'mkvps', 'online'].sort());
  t.strictSame(on.ls(`${AP}/card05/05.0004`), [...common, 'status'].sort());
  t.equal(on.cat(`${AP}/card05/05.0004/uevent`), 'DEVTYPE=ap_queue\nDRIVER=vfio_ap\nMODE=accel');
  const uuid = uuidOf(1);
  on.echo(uuid, '/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create');
  const status = () => on.cat(`${AP}/card05/05.0004/status`);
  t.equal(status(), 'unassigned');
  on.echo('5', `/sys/bus/mdev/devices/${uuid}/assign_adapter`);
  t.equal(status(), 'unassigned');
  on.echo('4', `/sys/bus/mdev/devices/${uuid}/assign_domain`);
  t.equal(status(), 'assigned');
  for (const name of ['kvm_intel', 'vfio_iommu_type1']) on.machine.modprobe(name);
  const vm = on.machine.attach(uuid) as Exclude<ReturnType<typeof on.machine.attach>, Promise<unknown>>;
  t.equal(status(), 'in use');
  vm.end();
  t.equal(status(), 'assigned');
});

t.test('the bus says what the partition has', async (t) => {
  const on = host();
  const expected = {
    ap_adapter_mask: padded('14'),
    ap_control_domain_mask: padded('08'),
    ap_domain: '4',
    ap_interrupts: '1',
    ap_max_adapter_id: '63',
    ap_max_domain_id: '84',
    ap_usage_domain_mask: padded('080000000000000001'),
    apmask: padded('10'),
    aqmask: ALL,
    bindings: '4/4 (complete)',
    config_time: '30',
    features: 'APSC APXA QACT RC8A',
    poll_thread: '0',
    poll_timeout: '250000',
    scans: '1',
  };
  const names = on.ls(BUS).filter((name) => !/^(devices|drivers.*|uevent)$/.test(name));
  t.strictSame(Object.fromEntries(names.map((name) => [name, on.cat(`${BUS}/${name}`)])), expected);
  const write = (name: string, text: string) => on.echoErrno(text, `${BUS}/${name}`);
  t.strictSame(
    ['71', '0x47', '85', '-1', 'x'].map((text) => write('ap_domain', text)),
    [undefined, undefined, 'EINVAL', 'EINVAL', 'EINVAL'],
  );
  t.equal(on.cat(`${BUS}/ap_domain`), '71');
  t.strictSame(
    ['4', '5', '120', '121', ''].map((text) => write('config_time', text)),
    ['EINVAL', undefined, undefined, 'EINVAL', 'EINVAL'],
  );
  t.strictSame(
    ['120000000000', '120000000001'].map((text) => write('poll_timeout', text)),
    [undefined, 'EINVAL'],
  );
  t.strictSame(
    ['1', 'maybe'].map((text) => write('poll_thread', text)),
    [undefined, 'EINVAL'],
  );
  t.equal(write('scans', '1'), undefined);
  t.equal(on.cat(`${BUS}/scans`), '2');
});

t.test('masks are written whole or by changes', async (t) => {
  const now = parseApMask('0x80');
  for (const [text, digits] of [
    ['0x1', '1'],
    ['0xff\n', 'ff'],
    ['41', '41'],
    ['x41', '41'],
    ['', ''],
    ['+1', 'c'],
    ['-0,+0x10-0x13,+020\n', '0000f'],
    ['-0-255,+255', `${'0'.repeat(63)}1`],
  ] as const)
    t.equal(formatApMask(changeApMask(now, text)), padded(digits), JSON.stringify(text));
  for (const text of ['0xg', `0x${'0'.repeat(65)}`, '+', '+256', '+3-2', '1 2', '+1 2', '+08', '-1,3'])
    t.equal(
      errnoOf(() => changeApMask(now, text)),
      'EINVAL',
      text,
    );
});

t.test('a mask decides at once which driver has a queue', async (t) => {
  const on = host();
  t.strictSame(drivers(on), ['cex4queue', 'cex4queue', 'vfio_ap', 'vfio_ap']);
  told(on);
  t.equal(on.echoErrno('-3', `${BUS}/apmask`), undefined);
  t.strictSame(drivers(on), Array(4).fill('vfio_ap'));
  t.strictSame(told(on), [
    'unbind@/devices/ap/card03/03.0004',
    'bind@/devices/ap/card03/03.0004 DRIVER=vfio_ap',
    'unbind@/devices/ap/card03/03.0047',
    'bind@/devices/ap/card03/03.0047 DRIVER=vfio_ap',
    `change@/devices/ap APMASK=${padded('')}`,
    'change@/devices/ap BINDINGS=complete',
  ]);
  t.equal(on.cat(`${AP}/card03/03.0004/request_count`), '-', 'nobody has it ready for requests');
  on.echo('+3,+5', `${BUS}/apmask`);
  on.echo('0x08', `${BUS}/aqmask`);
  t.strictSame(drivers(on), ['cex4queue', 'vfio_ap', 'cex4queue', 'vfio_ap']);
  t.equal(on.cat(`${AP}/card03/03.0004/request_count`), '0');
  told(on);
  on.echo('0x08', `${BUS}/aqmask`);
  t.strictSame(told(on), [], 'what is no change does nothing');
});

t.test('the host does not get back what is assigned', async (t) => {
  const on = host({ apmask: '0x' });
  const uuid = uuidOf(1);
  const device = `/sys/bus/mdev/devices/${uuid}`;
  on.echo(uuid, '/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create');
  on.echo('5', `${device}/assign_adapter`);
  on.echo('4', `${device}/assign_domain`);
  t.equal(on.echoErrno('+5', `${BUS}/apmask`), 'EBUSY');
  t.equal(on.cat(`${BUS}/apmask`), padded(''));
  t.strictSame(drivers(on), Array(4).fill('vfio_ap'));
  t.equal(on.echoErrno('+3', `${BUS}/apmask`), undefined, 'another adapter');
  t.equal(on.echoErrno('-4', `${BUS}/aqmask`), undefined);
  t.equal(on.echoErrno('+5', `${BUS}/apmask`), undefined, 'its other domain');
  t.equal(on.echoErrno('+4', `${BUS}/aqmask`), 'EBUSY');
  t.strictSame(drivers(on), ['vfio_ap', 'cex4queue', 'vfio_ap', 'cex4queue']);
  t.equal(on.echoErrno('71', `${device}/assign_domain`), 'EADDRNOTAVAIL');
});

t.test('a guest has no adapter of which vfio_ap lacks a queue', async (t) => {
  const on = host({ apmask: '0x' });
  const uuid = uuidOf(1);
  const device = `/sys/bus/mdev/devices/${uuid}`;
  on.echo(uuid, '/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create');
  on.echo(`${padded('14')},${padded('080000000000000001')},${padded('08')}`, `${device}/ap_config`);
  const guest = () => on.cat(`${device}/guest_matrix`).split('\n');
  t.strictSame(guest(), QUEUES);
  on.echo('05.0047', `${BUS}/drivers/vfio_ap/unbind`);
  t.strictSame(guest(), ['03.0004', '03.0047']);
  t.equal(on.cat(`${BUS}/bindings`), '3/4');
  on.echo('05.0047', `${BUS}/drivers/vfio_ap/bind`);
  t.strictSame(guest(), QUEUES);
});

t.test('a queue goes to no driver that it is not for', async (t) => {
  const on = host();
  t.equal(on.echoErrno('05.0004', `${BUS}/drivers/cex4queue/bind`), 'EBUSY');
  on.echo('05.0004', `${BUS}/drivers/vfio_ap/unbind`);
  t.equal(on.echoErrno('05.0004', `${BUS}/drivers/cex4queue/bind`), 'ENODEV');
  t.equal(on.echoErrno('card05', `${BUS}/drivers/vfio_ap/bind`), 'ENODEV');
  t.equal(on.echoErrno('05.0004', `${BUS}/drivers_probe`), undefined);
  t.equal(driverOf(on, '05.0004'), 'vfio_ap');
});

t.test(
  'without vfio_ap its queues have no driver; loaded it takes them, unloaded it lets them go',
  async (t) => {
    const on = host({}, []);
    t.strictSame(drivers(on), ['cex4queue', 'cex4queue', 'none', 'none']);
    t.equal(on.cat(`${BUS}/bindings`), '2/4');
    told(on);
    on.machine.modprobe('vfio_ap');
    t.strictSame(drivers(on), ['cex4queue', 'cex4queue', 'vfio_ap', 'vfio_ap']);
    t.ok(told(on).includes('change@/devices/ap BINDINGS=complete'));
    on.machine.rmmod('vfio_ap');
    t.strictSame(drivers(on), ['cex4queue', 'cex4queue', 'none', 'none']);
    on.echo('+5', `${BUS}/apmask`);
    t.strictSame(drivers(on), Array(4).fill('cex4queue'));
  },
);

t.test('cards and queues go offline and online', async (t) => {
  const on = host();
  const write = (path: string, text: string) => on.echoErrno(text, `${AP}/${path}`);
  told(on);
  t.equal(write('card03/online', '0'), undefined);
  t.strictSame(told(on), [
    'change@/devices/ap/card03 ONLINE=0 DRIVER=cex4card',
    'change@/devices/ap/card03/03.0004 ONLINE=0 DRIVER=cex4queue',
    'change@/devices/ap/card03/03.0047 ONLINE=0 DRIVER=cex4queue',
  ]);
  t.equal(write('card03/03.0004/online', '1'), 'EINVAL', 'its card is not');
  t.strictSame(
    ['2', '-1', 'x', '01'].map((text) => write('card03/online', text)),
    ['EINVAL', 'EINVAL', 'EINVAL', undefined],
  );
  t.equal(on.cat(`${AP}/card03/03.0047/online`), '1');
  told(on);
  t.equal(write('card03/config', '0'), undefined);
  t.strictSame(told(on), [
    'change@/devices/ap/card03 CONFIG=0 DRIVER=cex4card',
    'change@/devices/ap/card03/03.0004 CONFIG=0 DRIVER=cex4queue',
    'change@/devices/ap/card03/03.0047 CONFIG=0 DRIVER=cex4queue',
  ]);
  t.equal(on.cat(`${AP}/card03/online`), '0');
  t.equal(write('card03/online', '1'), 'ENODEV');
});

t.test('an adapter leaves the partition and comes back', async (t) => {
  const on = host();
  const uuid = uuidOf(1);
  const device = `/sys/bus/mdev/devices/${uuid}`;
  on.echo(uuid, '/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create');
  on.echo('5', `${device}/assign_adapter`);
  on.echo('4', `${device}/assign_domain`);
  told(on);
  on.machine.hotplug.remove('card05');
  t.strictSame(told(on), [
    'unbind@/devices/ap/card05/05.0004',
    'remove@/devices/ap/card05/05.0004',
    'unbind@/devices/ap/card05/05.0047',
    'remove@/devices/ap/card05/05.0047',
    'unbind@/devices/ap/card05',
    'remove@/devices/ap/card05',
  ]);
  t.equal(on.cat(`${BUS}/ap_adapter_mask`), padded('10'));
  t.equal(on.cat(`${device}/matrix`), '05.0004');
  t.equal(on.cat(`${device}/guest_matrix`), '.0004');
  on.machine.hotplug.add('card05');
  t.equal(on.cat(`${device}/guest_matrix`), '05.0004');
  t.equal(driverOf(on, '05.0047'), 'vfio_ap');
});

t.test('a host without domains has no cards', async (t) => {
  const on = host({ domains: [] });
  t.strictSame(on.ls(`${BUS}/devices`), []);
  t.equal(on.cat(`${BUS}/ap_domain`), '-1');
});

t.test('an adapter that is there twice is a fault', async (t) => {
  t.throws(
    () => host({ adapters: [3, { id: 3 }] }),
    new FixtureError(['test: ap.adapters[1].id: expected another than ap.adapters[0], got "3" again']),
  );
});
