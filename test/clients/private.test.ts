import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import t from 'tap';
import { MOUNT_SOURCE } from '../../src/host/mount.js';
import { parseMountinfo } from '../../src/host/mountinfo.js';
import { until } from '../mount/mounted.js';
import { GPU, lacking } from './client.js';
import { inRun, Session, underRun } from './session.js';

const skip = lacking('unshare');

/** What everybody on the machine has of the mounts of `mdevfs run`. */
const mountsOutside = () =>
  parseMountinfo(readFileSync('/proc/self/mountinfo', 'latin1')).filter(
    ({ dir, source }) => source === MOUNT_SOURCE && /^\/(sys|run|dev)(\/|$)/.test(dir),
  );

t.test(
  'real and emulated devices are at their places inside, and outside nothing is to be seen',
  { skip },
  async (t) => {
    const session = Session.start(t, underRun());
    const script = `
    readlink -f /sys/class/mdev_bus/$P /sys/class/net/lo; cat /sys/class/net/lo/mtu
    stat -f -c %T /sys /sys/class/net/lo/ /sys/class/mdev_bus/$P/`;
    t.strictSame((await session.output(script)).split('\n'), [
      `/sys/devices/pci0000:c0/${GPU}`,
      '/sys/devices/virtual/net/lo',
      '65536',
      ...['sysfs', 'sysfs', 'fuseblk', ''],
    ]);
    t.notOk(existsSync('/sys/class/mdev_bus'));
    t.strictSame(mountsOutside(), []);
  },
);

/** A disk of the machine that is a device on a bus. */
const disk = existsSync('/sys/block')
  ? readdirSync('/sys/block').find(
      (name) => !realpathSync(`/sys/block/${name}`).startsWith('/sys/devices/virtual/'),
    )
  : undefined;

t.test('when the daemon is killed, programs fail at once, and real devices stay', { skip }, async (t) => {
  // Without a PID namespace of its own the session sees the daemon.
  const session = Session.start(t, inRun());
  let said = '';
  session.shell.stderr!.on('data', (text: Buffer) => {
    said += text.toString();
  });
  t.equal(await session.output('ls -d /sys/class/mdev_bus/$P'), `/sys/class/mdev_bus/${GPU}\n`);
  const kill = `
    for process in /proc/[0-9]*; do
      [ "$(readlink $process/exe)" = '${realpathSync(process.execPath)}' ] && tr '\\0' '\\n' < $process/cmdline | grep -qx serve-run &&
        kill -KILL \${process#/proc/} && echo killed
    done`;
  t.equal(await session.output(kill), 'killed\n');
  await until('mdevfs run says it', () => said.includes('mdevfs: the daemon ended (137): '));
  t.match(said, /emulated devices, \/sys\/class and \/sys\/bus of this command now fail with ENOTCONN/);
  for (const command of ['ls /sys/class/mdev_bus', 'ls /sys/bus', 'cat /sys/devices/pci0000:c0/$P/vendor']) {
    const { status, stdout, stderr } = await session.run(`timeout 5 ${command}`);
    t.match(stderr, /: Transport endpoint is not connected$/m, command);
    t.equal(stdout, '');
    t.match(status, /^[12]$/, 'it was not the time that ended it');
  }
  if (disk) {
    const size = readFileSync(`/sys/block/${disk}/size`, 'latin1');
    t.equal(await session.output(`timeout 5 cat /sys/block/${disk}/size`), size);
  } else t.comment('this machine has no disk on a bus');
  t.equal(
    await session.output('cat /sys/devices/system/cpu/online'),
    readFileSync('/sys/devices/system/cpu/online', 'latin1'),
  );
  t.notOk(existsSync('/sys/class/mdev_bus'));
});

t.test(
  'the daemon has nothing of its own mounts open, so that it can be killed at any moment',
  { skip },
  async (t) => {
    const session = Session.start(t, inRun());
    const vendor = '/sys/bus/pci/devices/$P/vendor';
    const ops = '/sys/kernel/debug/mdevfs/ops';
    t.equal(await session.output(`cat ${vendor} ${vendor} ${vendor}`), '0x10de\n'.repeat(3));
    // Every read comes to it: passthrough would take files of a mount that it serves itself.
    t.match(
      await session.output(`echo > ${ops}; for i in 1 2 3; do cat ${vendor}; done; cat ${ops}`),
      /^READ [3-9]$/m,
    );
  },
);
