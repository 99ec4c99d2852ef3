import t from 'tap';
import { mdevfs } from './command.js';

t.test('mdevfs monitor says what is wrong', async (t) => {
  const nowhere = mdevfs('monitor', '--at', '/nowhere');
  t.equal(nowhere.status, 2);
  t.equal(nowhere.stderr, 'mdevfs: /nowhere: no such file or directory\n');
  const udev = mdevfs('monitor', '--at', '/nowhere', '--udev');
  t.equal(udev.status, 2);
  t.equal(udev.stderr, 'mdevfs: --udev: /nowhere is no udev; it tells kernel events only\n');
});
