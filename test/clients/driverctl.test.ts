import t, { type Test } from 'tap';
import { lacking, mountClients, Shell } from './client.js';
import { Session, underRun } from './session.js';

const skip = lacking('driverctl', 'unshare');
const nothing = { status: 0, stdout: '', stderr: '' };

/** @param sh a session in a mount namespace of its own */
async function driverctlWorks(t: Test, sh: Session): Promise<void> {
  const place = '/etc/driverctl.d';
  await sh.run(`mkdir -p ${place} && mount -t tmpfs none ${place}`);
  const emulated = async (command: string) =>
    (await sh.output(`driverctl ${command}`)).split('\n').filter((line) => /^0000:c0:|^0\.0\./.test(line));
  const saved = () => sh.output(`cd ${place} && head -v *`);

  await t.test('devices are listed with their drivers', async (t) => {
    t.strictSame(await emulated('list-devices'), ['0000:c0:02.0 nvidia', '0000:c0:03.0 nvidia']);
    t.strictSame(await emulated('list-devices display'), ['0000:c0:02.0 nvidia', '0000:c0:03.0 nvidia']);
    t.strictSame(await emulated('list-devices network'), []);
    t.strictSame(await emulated('-b css list-devices'), ['0.0.0313 vfio_ccw [*]']);
    t.strictSame(await emulated('-b css list-overrides'), ['0.0.0313 vfio_ccw']);
  });

  await t.test('a device is kept from every driver, and given back', async (t) => {
    t.strictSame(await sh.run('driverctl set-override $P none'), nothing);
    t.strictSame(await emulated('list-overrides'), ['0000:c0:03.0 (none)']);
    t.strictSame(await emulated('list-devices'), ['0000:c0:02.0 nvidia', '0000:c0:03.0 (none) [*]']);
    t.equal(await saved(), '==> pci-0000:c0:03.0 <==\nnone\n');
    t.equal((await sh.run('test -e /sys/class/mdev_bus/$P')).status, 1, 'it is no parent any more');
    t.strictSame(await sh.run('driverctl unset-override $P'), nothing);
    t.strictSame(await emulated('list-devices'), ['0000:c0:02.0 nvidia', '0000:c0:03.0 nvidia']);
    t.equal((await sh.run('test -e /sys/class/mdev_bus/$P')).status, 0, 'it is one again');
    t.equal(await sh.output(`ls ${place}`), '');
  });

  await t.test('a device is moved from one driver to another', async (t) => {
    const driver = 'basename $(readlink /sys/bus/css/devices/0.0.0313/driver)';
    t.strictSame(await sh.run('driverctl -b css unset-override 0.0.0313'), nothing);
    t.equal(await sh.output(driver), 'io_subchannel\n');
    t.strictSame(await sh.run('driverctl set-override css/0.0.0313 vfio_ccw'), nothing);
    t.equal(await sh.output(driver), 'vfio_ccw\n');
    t.strictSame(await emulated('-b css list-overrides'), ['0.0.0313 vfio_ccw']);
    t.equal(await saved(), '==> css-0.0.0313 <==\nvfio_ccw\n');
    // What was saved comes back, as at boot. io_subchannel is no module, so nobody could ask for it by name.
    t.strictSame(await sh.run('driverctl --nosave unset-override css/0.0.0313'), nothing);
    t.equal(await sh.output(driver), 'io_subchannel\n');
    t.strictSame(await sh.run('driverctl load-override css/0.0.0313'), nothing);
    t.equal(await sh.output(driver), 'vfio_ccw\n');
  });

  await t.test(
    "a driver whose module is not in /sys/module is looked for by the machine's modprobe",
    async (t) => {
      t.match(await sh.run('driverctl set-override $P nonesuch'), {
        status: 1,
        stderr: /^driverctl: no such module: nonesuch$/m,
      });
      t.strictSame(await emulated('list-devices'), ['0000:c0:02.0 nvidia', '0000:c0:03.0 nvidia']);
    },
  );
}

t.test('driverctl, with a mount over /sys', { skip }, async (t) => {
  const { dir, prefix } = Shell.overSys(mountClients(t));
  await driverctlWorks(t, Session.start(t, prefix, { D: dir }));
});

t.test('driverctl under mdevfs run', { skip }, async (t) => {
  await driverctlWorks(t, Session.start(t, underRun()));
});
