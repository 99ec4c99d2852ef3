import { statSync, utimesSync } from 'node:fs';
import t from 'tap';
import { errnoOf, MountedSample, noMounts } from './mounted.js';

const skip = noMounts() ?? false;

t.test(
  'times begin with the first look, and change by utimes, truncate and O_TRUNC only',
  { skip },
  async (t) => {
    const mounted = await MountedSample.start(t);
    const path = mounted.path('attrs/both');
    const { mtimeMs, atimeMs } = statSync(path);
    t.equal(mtimeMs, atimeMs);
    mounted.read('attrs/both');
    mounted.write('attrs/both', 'x');
    t.equal(statSync(path).mtimeMs, mtimeMs);
    utimesSync(path, 1000, 2000.25);
    t.match(statSync(path), { atimeMs: 1_000_000, mtimeMs: 2_000_250 });
    t.equal(mounted.sh('touch -d @3.123456789 attrs/both; stat -c %.9Y attrs/both').stdout, '3.123456789\n');
    mounted.sh('echo x > attrs/both');
    t.ok(statSync(path).mtimeMs > mtimeMs, 'the shell opens with O_TRUNC');
    t.equal(statSync(path).atimeMs, 3123.456789);
    utimesSync(path, 1000, 1000);
    t.equal(mounted.sh('touch attrs/both').status, 0);
    t.ok(statSync(path).atimeMs > mtimeMs, 'touch sets the time of now');
  },
);

t.test('a link has an owner of its own', { skip }, async (t) => {
  const { sys } = await MountedSample.start(t);
  sys.lchown('/sys/bus/dev0', 1000, 1000);
  t.match(sys.lstat('/sys/bus/dev0'), { uid: 1000, gid: 1000, size: 0, nlink: 1 });
  t.match(sys.stat('/sys/bus/dev0'), { uid: 0, gid: 0 });
});

t.test('descriptors do what they do on sysfs', { skip }, async (t) => {
  const { sys } = await MountedSample.start(t);
  const fd = sys.open('/sys/attrs/both', 2);
  const dir = sys.open('/sys/attrs', 0o200000);
  t.equal(sys.lseek(fd, 0, 3), 0, 'SEEK_DATA');
  t.equal(sys.lseek(fd, 0, 4), 4096, 'SEEK_HOLE');
  t.equal(
    errnoOf(() => sys.lseek(fd, 4096, 3)),
    'ENXIO',
  );
  t.equal(
    errnoOf(() => sys.fsync(fd)),
    'ok',
  );
  t.equal(
    errnoOf(() => sys.fdatasync(fd)),
    'ok',
  );
  t.equal(
    errnoOf(() => sys.fsync(dir)),
    'EINVAL',
  );
  t.equal(
    errnoOf(() => sys.fallocate!(fd, 0, 0, 10)),
    'EOPNOTSUPP',
  );
  t.equal(
    errnoOf(() => sys.ioctl!(fd, 0x5401, Buffer.alloc(64))),
    'ENOTTY',
  );
  t.equal(
    errnoOf(() => sys.ioctl!(fd, 0x3b64, 0)),
    'ENOTTY',
  );
  t.equal(
    errnoOf(() => sys.mmap!(fd, 1, 1)),
    'ENODEV',
    'MAP_SHARED',
  );
  t.equal(
    errnoOf(() => sys.flock!(fd, 2)),
    'ok',
  );
  t.equal(
    errnoOf(() => sys.read(dir, 10)),
    'EISDIR',
  );
  sys.close(fd);
  sys.close(dir);
});

t.test('sendfile and splice are one store, copy_file_range from elsewhere EXDEV', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  const { sys } = mounted;
  const fd = sys.open('/sys/attrs/store', 1);
  const [from, to] = sys.pipe!();
  sys.write(to, Buffer.from('two '));
  sys.write(to, Buffer.from('buffers'));
  t.equal(sys.splice!(from, fd, 100), 11);
  const file = sys.scratch!(Buffer.from('from a file'));
  t.equal(sys.sendfile!(fd, file, 100), 11);
  t.equal(
    errnoOf(() => sys.copyFileRange!(file, fd, 10)),
    'EXDEV',
  );
  for (const each of [fd, from, to, file]) sys.close(each);
  t.equal(mounted.read('attrs/log'), '"two buffers"\n"from a file"\n');
});
