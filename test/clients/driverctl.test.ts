import t from 'tap';
import { lacking, mountClients, Shell } from './client.js';

t.test('driverctl, with a mount over /sys', { skip: lacking('driverctl', 'unshare') }, async (t) => {
  const sh = Shell.overSys(mountClients(t));
  t.equal(sh.output('driverctl list-devices'), '0000:c0:02.0 nvidia\n0000:c0:03.0 nvidia\n');
  t.equal(sh.output('driverctl -b css list-devices'), '0.0.0313 vfio_ccw [*]\n');
  t.equal(sh.output('driverctl -b css list-overrides'), '0.0.0313 vfio_ccw\n');
});
