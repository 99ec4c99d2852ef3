import t from 'tap';
import { fixtureFile, Host, q35 } from './host.js';

const CARD = '/sys/bus/pci/devices/0000:01:00.0';

for (const [file, good, shown, bad] of [
  ['msi_bus', '0', '0', { x: 'EINVAL' }],
  ['d3cold_allowed', '0', '0', { yes: 'EINVAL', '': 'EINVAL' }],
  ['broken_parity_status', '5', '1', { x: 'EINVAL' }],
  ['numa_node', '0', '0', { x: 'EINVAL', '1': 'EINVAL', '-2': 'EINVAL', '99999999999': 'ERANGE' }],
  ['reset_method', 'bus pm', 'bus pm', { flr: 'EINVAL', nonsense: 'EINVAL' }],
  ['driver_override', 'vfio-pci', 'vfio-pci', { ['x'.repeat(4095)]: 'EINVAL' }],
  ['link/l0s_aspm', '1', '1', { x: 'EINVAL' }],
] as const) {
  t.test(`${file} takes what it means and refuses the rest`, async (t) => {
    const host = new Host(q35());
    host.echo(good, `${CARD}/${file}`);
    t.equal(host.cat(`${CARD}/${file}`), shown);
    for (const [text, errno] of Object.entries(bad)) {
      t.equal(host.echoErrno(text, `${CARD}/${file}`), errno, JSON.stringify(text.slice(0, 12)));
    }
    t.equal(host.cat(`${CARD}/${file}`), shown);
  });
}

t.test('an empty driver_override clears it', async (t) => {
  const host = new Host(q35());
  host.echo('vfio-pci', `${CARD}/driver_override`);
  host.echo('', `${CARD}/driver_override`);
  t.equal(host.cat(`${CARD}/driver_override`), '(null)');
});

t.test('reset takes a 1, and needs a method', async (t) => {
  const host = new Host(q35());
  t.equal(host.echoErrno('1', `${CARD}/reset`), undefined);
  for (const text of ['0', '2', 'x']) t.equal(host.echoErrno(text, `${CARD}/reset`), 'EINVAL', text);
  host.echo('', `${CARD}/reset_method`);
  t.equal(host.cat(`${CARD}/reset_method`), '');
  t.equal(host.echoErrno('1', `${CARD}/reset`), 'ENOTTY');
  host.echo('default', `${CARD}/reset_method`);
  t.equal(host.cat(`${CARD}/reset_method`), 'pm bus');
});

t.test('enable counts, and is not for a device that has a driver', async (t) => {
  const host = new Host(q35());
  t.equal(host.cat(`${CARD}/power_state`), 'unknown');
  t.equal(host.echoErrno('0', `${CARD}/enable`), 'EIO');
  host.echo('1', `${CARD}/enable`);
  host.echo('1', `${CARD}/enable`);
  t.equal(host.cat(`${CARD}/enable`), '2');
  t.equal(host.cat(`${CARD}/power_state`), 'D0');
  t.equal(host.cat(`${CARD}/irq`), '22');
  host.echo('0', `${CARD}/enable`);
  host.echo('0', `${CARD}/enable`);
  t.equal(host.cat(`${CARD}/enable`), '0');
  t.equal(host.echoErrno('1', '/sys/bus/pci/devices/0000:00:06.0/enable'), 'EBUSY');
});

t.test('a device without a driver is suspended once that is allowed', async (t) => {
  const host = new Host(q35());
  t.equal(host.cat(`${CARD}/power/runtime_status`), 'active');
  host.echo('auto', `${CARD}/power/control`);
  t.equal(host.cat(`${CARD}/power/runtime_status`), 'suspended');
  host.machine.modprobe('e1000e');
  t.equal(host.cat(`${CARD}/power/runtime_status`), 'active');
  t.match(host.cat(`${CARD}/power/runtime_active_time`), /^\d+$/);
});

t.test('resource_alignment keeps a line', async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  const file = '/sys/bus/pci/resource_alignment';
  t.equal(host.read(file).toString(), '');
  host.echo('20@0000:3b:00.0', file);
  t.equal(host.read(file).toString(), '20@0000:3b:00.0\n');
  host.echo('', file);
  t.equal(host.read(file).toString(), '');
});
