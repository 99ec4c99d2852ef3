import t from 'tap';
import { mountAt } from '../../src/host/mountinfo.js';
import { testBasics } from './basics.js';
import { MountedSample, noFuseNative } from './mounted.js';

const skip = (await noFuseNative()) ?? false;

t.test('over fuse-native', { skip }, async (t) => {
  await testBasics(t, await MountedSample.start(t, 'fuse-native'));
});

t.test('the daemon ends when it is told to, and when somebody else unmounts', { skip }, async (t) => {
  const told = await MountedSample.start(t, 'fuse-native');
  told.daemon.kill('SIGTERM');
  t.equal(await told.ended, 0);
  t.equal(mountAt(told.dir), undefined);
  const unmounted = await MountedSample.start(t, 'fuse-native');
  t.equal(unmounted.sh('cd / && umount "$D"').status, 0);
  t.equal(await unmounted.ended, 0);
});
