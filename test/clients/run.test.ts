import t from 'tap';
import { noUserNamespaces } from '../mount/mounted.js';
import { lacking, UUID } from './client.js';
import { mdevctlWorks } from './mdevctl.js';
import { Session, underRun } from './session.js';

const programs = ['lspci', 'systool', 'driverctl', 'busybox', 'python3', 'udevadm'];
t.test('other programs under mdevfs run', { skip: lacking(...programs) }, async (t) => {
  const sh = Session.start(t, underRun());
  t.match(await sh.output('lspci -D -nn -s $P'), /^0000:c0:03\.0 VGA .* \[10de:13bd\] \(rev a2\)$/m);
  t.match(await sh.output('systool -c mdev_bus'), 'Class Device = "c0:03.0"');
  t.match(await sh.output('driverctl list-devices'), /^0000:c0:03\.0 nvidia$/m);
  t.equal(
    await sh.output('busybox ls /sys/class/mdev_bus'),
    '0.0.0313\n0000:c0:02.0\n0000:c0:03.0\nmatrix\nmtty\n',
  );
  const create = '/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create';
  t.equal(await sh.output(`python3 -c 'open("${create}", "w").write("${UUID}")'`), '');
  t.match(await sh.output(`udevadm info /sys/bus/mdev/devices/${UUID}`), /^E: SUBSYSTEM=mdev$/m);
  t.match(await sh.output('udevadm info -e'), `P: /devices/virtual/mtty/mtty/${UUID}\n`);
});

for (const options of [[], ['--user']]) {
  const name = ['mdevfs run', ...options].join(' ');
  const refused = options.length > 0 && (noUserNamespaces() ?? false);
  t.test(`mdevctl under ${name}`, { skip: refused || lacking('mdevctl', 'unshare') }, async (t) => {
    await mdevctlWorks(t, Session.start(t, underRun(...options)));
  });
}
