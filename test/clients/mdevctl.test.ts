import t from 'tap';
import { lacking, mountClients, Shell } from './client.js';
import { mdevctlWorks } from './mdevctl.js';

t.test('mdevctl, with a mount over /sys', { skip: lacking('mdevctl', 'unshare') }, async (t) => {
  await mdevctlWorks(t, Shell.overSys(mountClients(t)));
});
