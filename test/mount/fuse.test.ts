import t from 'tap';
import { testBasics } from './basics.js';
import { MountedSample, noMounts } from './mounted.js';

const skip = noMounts() ?? false;

t.test('over /dev/fuse, with the event loop polling it', { skip }, async (t) => {
  await testBasics(t, await MountedSample.start(t, 'fuse', 'pipe'));
});

t.test('over /dev/fuse, with a thread reading it', { skip }, async (t) => {
  await testBasics(t, await MountedSample.start(t, 'fuse', 'read'));
});
