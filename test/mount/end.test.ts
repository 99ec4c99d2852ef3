import { spawnSync } from 'node:child_process';
import t from 'tap';
import { mountAt } from '../../src/host/mountinfo.js';
import { errnoOf, MountedSample, noMounts } from './mounted.js';

const skip = noMounts() ?? false;

for (const loop of ['pipe', 'read'] as const) {
  t.test(`a daemon that waits by ${loop}`, { skip }, async (t) => {
    await t.test('unmounts and ends when it is told to', async (t) => {
      const mounted = await MountedSample.start(t, 'fuse', loop);
      t.equal(mountAt(mounted.dir)?.type, 'fuse.mdevfs');
      mounted.daemon.kill('SIGTERM');
      t.equal(await mounted.ended, 0);
      t.equal(mounted.output, 'ready\nunmounted\n');
      t.equal(mountAt(mounted.dir), undefined);
    });

    await t.test('ends when somebody else unmounts', async (t) => {
      const mounted = await MountedSample.start(t, 'fuse', loop);
      t.equal(spawnSync('umount', [mounted.dir]).status, 0);
      t.equal(await mounted.ended, 0);
      t.equal(mounted.output, 'ready\nunmounted\n');
    });

    await t.test('ends also while the tree is in use, whose users get ENOTCONN', async (t) => {
      const mounted = await MountedSample.start(t, 'fuse', loop);
      const fd = mounted.sys.open('/sys/attrs/both', 0);
      mounted.daemon.kill('SIGTERM');
      t.equal(await mounted.ended, 0);
      t.equal(mountAt(mounted.dir), undefined);
      t.match(
        errnoOf(() => mounted.sys.read(fd, 10)),
        /ENOTCONN|103/,
      );
      errnoOf(() => mounted.sys.close(fd));
    });
  });
}

t.test('a daemon that is killed leaves a mount that is ENOTCONN', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  mounted.daemon.kill('SIGKILL');
  await mounted.ended;
  t.equal(
    errnoOf(() => mounted.sys.stat('/sys')),
    'ENOTCONN',
  );
  t.equal(mountAt(mounted.dir)?.type, 'fuse.mdevfs');
});
