import t from 'tap';
import { lacking, mountClients, Shell } from './client.js';
import { mdevctlWorks } from './mdevctl.js';
import { Session } from './session.js';

t.test('mdevctl, with a mount over /sys', { skip: lacking('mdevctl', 'unshare') }, async (t) => {
  const { dir, prefix } = Shell.overSys(mountClients(t));
  await mdevctlWorks(t, Session.start(t, prefix, { D: dir }));
});
