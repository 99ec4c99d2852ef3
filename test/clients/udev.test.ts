import { spawnSync } from 'node:child_process';
import t from 'tap';
import { noUserNamespaces } from '../mount/mounted.js';
import { lacking, mountClients, Shell, UUID } from './client.js';
import { Session, underRun } from './session.js';
import { from, Monitor, type Said, saidIn, startUdevd } from './udev.js';

const skip = lacking('udevadm', 'unshare');
const gpu = '/devices/pci0000:c0/0000:c0:03.0';
const mdev = `${gpu}/${UUID}`;
const create = 'echo $U > /sys/class/mdev_bus/$P/mdev_supported_types/nvidia-36/create';
const remove = 'echo 1 > /sys/bus/mdev/devices/$U/remove';
/** Gives udevd something to keep of every mdev. */
const rule = 'SUBSYSTEM=="mdev", ENV{API}="$attr{mdev_type/device_api}"';

/** What a kernel says of a device's life, in the layout of `udevadm monitor`. */
const life = [
  `add      ${mdev} (mdev)`,
  'add      /devices/virtual/vfio/2 (vfio)',
  `add      ${mdev}/vfio-dev/vfio0 (vfio-dev)`,
  `bind     ${mdev} (mdev)`,
  `remove   ${mdev}/vfio-dev/vfio0 (vfio-dev)`,
  'remove   /devices/virtual/vfio/2 (vfio)',
  `unbind   ${mdev} (mdev)`,
  `remove   ${mdev} (mdev)`,
];

/** libudev completes the names of nodes, and keeps the format of udevd's records to itself. */
const asLibudev = ({ env, ...said }: Said): Said => ({
  ...said,
  env: env
    .filter((variable) => !variable.startsWith('UDEV_DATABASE_VERSION='))
    .map((variable) => variable.replace(/^DEVNAME=(?!\/)/, 'DEVNAME=/dev/')),
});
const bySource = (said: Said[]) => said.toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
const key = ({ source, line }: Said) => source + line;

for (const options of [[], ['--user']]) {
  const name = ['mdevfs run', ...options].join(' ');
  const refused = options.length > 0 && (noUserNamespaces() ?? false);
  t.test(`udevd under ${name}`, { skip: refused || skip }, async (t) => {
    const session = Session.start(t, underRun(...options));

    /** Both monitors must print the same of a device's life: what the kernel says, and udev once of each. */
    const everyEventOnce = async (when: string) => {
      const monitors = [
        await Monitor.udevadm(session, '--property'),
        await Monitor.mdevfs(session, '--property'),
      ];
      t.equal(await session.output(`${create}; udevadm settle; ${remove}; udevadm settle`), '');
      const [udevadm, mdevfs] = [saidIn(await monitors[0]!.text()), saidIn(await monitors[1]!.text())];
      t.strictSame(from('KERNEL', udevadm), life, `the kernel, ${when}`);
      // udevd works on several devices at once.
      t.strictSame(from('UDEV', udevadm).sort(), [...life].sort(), `udev, ${when}`);
      t.strictSame(
        bySource(mdevfs.map(asLibudev)),
        bySource(udevadm),
        `mdevfs monitor prints the same, ${when}`,
      );
    };

    await everyEventOnce('without udevd');
    await startUdevd(session, rule);
    await everyEventOnce('with udevd');

    await t.test('it keeps what its rules say of a device, as long as there is one', async (t) => {
      const known = 'udevadm settle; ls /run/udev/data | grep +mdev';
      t.equal(await session.output(`${create}; ${known}`), `+mdev:${UUID}\n`);
      t.match(await session.output('grep E: /run/udev/data/+mdev:$U'), 'E:API=vfio-pci\n');
      t.match(await session.output('udevadm info /sys/bus/mdev/devices/$U'), /^E: API=vfio-pci$/m);
      t.equal(await session.output(`${remove}; ${known}`), '');
    });

    await t.test('udevadm trigger makes events, which it answers', async (t) => {
      const monitor = await Monitor.udevadm(session, '--property');
      const devices = ['02', '03'].map((slot) => `/devices/pci0000:c0/0000:c0:${slot}.0`);
      const syspaths = devices.map((path) => `/sys${path}\n`).join('');
      const trigger = (options: string) =>
        session.run(`udevadm trigger -v --sysname-match='0000:c0:*' ${options}`);
      t.strictSame(await trigger('--action=add'), { status: 0, stdout: syspaths, stderr: '' });
      // udevd works on both at a time.
      const settled = await trigger('--settle | sort');
      const lines = syspaths + syspaths.replaceAll(/^(?=.)/gm, 'settle ');
      t.strictSame(settled, { status: 0, stdout: lines, stderr: '' });
      t.strictSame(await session.run('udevadm settle'), { status: 0, stdout: '', stderr: '' });
      const text = await monitor.text();
      const expected = ['add     ', 'change  '].flatMap((action) =>
        devices.map((path) => `${action} ${path} (pci)`),
      );
      t.strictSame(from('KERNEL', saidIn(text)), expected);
      t.strictSame(from('UDEV', saidIn(text)).sort(), expected);
      for (const event of text.split('\n\n').filter((block) => block.includes('(pci)\n'))) {
        t.match(event, /^PCI_ID=10DE:13BD$/m);
        // To wait for an event, udevadm gives it a UUID; the kernel says 0 where it got none.
        t.match(event, event.includes('ACTION=add') ? /^SYNTH_UUID=0$/m : /^SYNTH_UUID=[0-9a-f-]{36}$/m);
      }
    });

    t.equal((await session.run('udevadm control --exit')).status, 0);
    const gone = 'for try in $(seq 100); do udevadm control --ping 2> /dev/null || break; sleep 0.1; done';
    await session.run(gone);
    await everyEventOnce('after udevd');
  });
}

t.test(
  'udevd starts the devices of mdevctl when their parent registers',
  { skip: lacking('mdevctl', 'udevadm') },
  async (t) => {
    const session = Session.start(t, underRun());
    const place = '/etc/mdevctl.d';
    await session.run(
      `mount -t tmpfs none ${place} && mkdir -p ${place}/scripts.d/callouts ${place}/scripts.d/notifiers`,
    );
    await startUdevd(session);
    t.strictSame(await session.run('mdevctl define --auto -u $U -p mtty -t mtty-1'), {
      status: 0,
      stdout: '',
      stderr: '',
    });
    const again = `
    echo 'rmmod mtty' > /sys/kernel/debug/mdevfs/module && udevadm settle &&
    echo 'modprobe mtty' > /sys/kernel/debug/mdevfs/module && udevadm settle; mdevctl list`;
    // Debian's rule runs /usr/sbin/mdevctl, and its package has /usr/bin/mdevctl.
    if ((await session.run('test -e /usr/sbin/mdevctl')).status !== 0) {
      t.equal((await session.output(again)).trim(), '', 'as the package is, nothing starts');
      const { status, stderr } = await session.run(`
      mkdir /run/sbin && mount --bind /usr/sbin /run/sbin && mount -t tmpfs none /usr/sbin &&
      ln -s /run/sbin/* /usr/bin/mdevctl /usr/sbin`);
      t.equal(status, 0, stderr);
    }
    t.equal((await session.output(again)).trim(), `${UUID} mtty mtty-1 auto (defined)`);
  },
);

t.test('udevadm lists the emulated devices beside the real ones, which stay sysfs', { skip }, async (t) => {
  const listed = (text: string) =>
    [...text.matchAll(/^P: (.*)$/gm)]
      .map(([, path]) => path!)
      // Every mount has one, of everybody on the machine.
      .filter((path) => !path.startsWith('/devices/virtual/bdi/'))
      .sort();
  const devices = `cd "$D/devices" && find . -name subsystem -type l | while read -r link; do
    [ -e "\${link%/*}/uevent" ] && echo "P: /devices\${link#.}"; done`;
  const emulated = listed(new Shell(mountClients(t)).output(devices).replaceAll(/\/subsystem$/gm, ''));
  t.ok(emulated.includes(gpu));

  const session = Session.start(t, underRun('--no-uevents'));
  const inside = listed(await session.output('udevadm info -e'));
  const real = listed(await session.output('env -u SYSTEMD_DEVICE_VERIFY_SYSFS udevadm info -e'));
  const outside = listed(spawnSync('udevadm', ['info', '-e'], { encoding: 'utf8' }).stdout);
  t.strictSame(real, outside, 'all real devices are sysfs');
  const onlyEmulated = emulated.filter((path) => !outside.includes(path));
  t.strictSame(inside, [...outside, ...onlyEmulated].sort());
  t.equal(inside.length - real.length, onlyEmulated.length);
});

t.test('udevadm info, with a mount over /sys', { skip }, async (t) => {
  const sh = Shell.overSys(mountClients(t));
  const info = 'udevadm info -q property -p /sys/bus/pci/devices/$P';
  t.match(sh.run(`SYSTEMD_DEVICE_VERIFY_SYSFS=0 ${info}`), { status: 0, stdout: /^PCI_ID=10DE:13BD$/m });
  t.not(sh.run(info).status, 0, 'libudev takes nothing for a device that is not sysfs');
});
