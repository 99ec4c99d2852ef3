import { statSync } from 'node:fs';
import t from 'tap';
import { noUserNamespaces } from '../mount/mounted.js';
import { lacking, scratch } from './client.js';
import { Libvirt } from './libvirt.js';
import { libvirtCreatesOne, libvirtWorks } from './libvirt-works.js';
import { Session, underRun } from './session.js';

const skip = lacking('virsh', 'libvirtd', 'udevadm', 'mdevctl', 'unshare');
const skipUser = noUserNamespaces() || skip;

t.test('libvirt under mdevfs run', { skip }, async (t) => {
  await libvirtWorks(t, await Libvirt.start(Session.start(t, underRun())));
});

t.test('libvirt under mdevfs run --user', { skip: skipUser }, async (t) => {
  await libvirtWorks(t, await Libvirt.start(Session.start(t, underRun('--user'))));
});

t.test('libvirt for somebody who is not root', { skip: skipUser }, async (t) => {
  // /dev/fuse as distributions have it, for this one namespace.
  const open = (statSync('/dev/fuse').mode & 0o6) === 0o6;
  const node = `${scratch(t)}/fuse`;
  const script = `${open ? '' : `mknod -m 666 ${node} c 10 229 && mount -n --bind ${node} /dev/fuse &&`}
    exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"`;
  const asUser = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh'];
  const session = Session.start(t, [...asUser, ...underRun()]);
  t.match((await session.run('cat /proc/self/uid_map')).stdout, /^ +0 +1000 +1\n$/);
  await libvirtWorks(t, await Libvirt.start(session));
});

// In a user namespace, where udevd hears nothing of the machine's devices.
t.test('libvirt with a udevd', { skip: skipUser }, async (t) => {
  const session = Session.start(t, underRun('--user'));
  const rule = 'SUBSYSTEM=="mdev", ENV{API}="$attr{mdev_type/device_api}"';
  const { status, stderr } = await session.run(`
    mkdir -p /run/udev/rules.d && echo '${rule}' > /run/udev/rules.d/99-api.rules
    udevd=/lib/systemd/systemd-udevd; test -x $udevd || udevd=/usr/bin/udevadm
    (exec -a systemd-udevd $udevd --daemon) && udevadm control --ping`);
  t.equal(status, 0, stderr);
  await libvirtCreatesOne(t, await Libvirt.start(session));
  await session.run('mdevctl start -u $U -p $P -t nvidia-36; udevadm settle');
  t.match(await session.output('cat /run/udev/data/+mdev:$U'), /^E:API=vfio-pci$/m, 'it is udevd that tells');
});

t.test(
  'without uevents libvirt sees what is there when it starts, and hears of nothing',
  { skip },
  async (t) => {
    // Not in the machine's network.
    const session = Session.start(t, ['unshare', '-n', ...underRun('--no-uevents')]);
    const libvirt = await Libvirt.start(session);
    t.equal((await libvirt.list('--cap mdev_types')).length, 5);
    t.equal((await session.run('mdevctl start -u $U -p $P -t nvidia-36')).status, 0);
    t.strictSame(await libvirt.list('--cap mdev'), []);
    await libvirt.stopDaemon();
    await libvirt.startDaemon();
    t.equal((await libvirt.list('--cap mdev')).length, 1);
  },
);
