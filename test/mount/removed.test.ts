import t from 'tap';
import { errnoOf, MountedSample, noMounts } from './mounted.js';

const skip = noMounts() ?? false;

t.test('what is left of a removed device', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  const { sys } = mounted;
  mounted.write('devices/create', 'gone');
  const file = sys.open('/sys/devices/gone/name', 0);
  const dir = sys.open('/sys/devices/gone', 0o200000);
  sys.read(file, 10);
  t.equal(sys.poll(file), 0x145);
  mounted.write('devices/gone/remove', '1');

  t.equal(
    errnoOf(() => sys.read(file, 10)),
    'ENODEV',
  );
  t.equal(
    errnoOf(() => sys.lseek(file, 0, 2)),
    'ENODEV',
  );
  t.equal(
    errnoOf(() => sys.lseek(file, 0, 3)),
    'ENODEV',
  );
  t.match(sys.fstat(file), { nlink: 1, size: 4096, mode: 0o100444 });
  t.equal(sys.poll(file), 0x14f);
  t.match(sys.fstat(dir), { nlink: 2, size: 0 });
  t.same(
    sys.getdents64(dir, 4096).map(({ name }) => name),
    ['.', '..'],
  );
  t.equal(
    errnoOf(() => sys.openat(dir, 'name', 0)),
    'ENOENT',
  );
  sys.close(file);
  sys.close(dir);
});

t.test('a shell that works in a removed device', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  mounted.write('devices/create', 'gone');
  const { stdout, stderr } = mounted.sh(`
    cd devices/gone
    exec 3<name
    echo 1 > remove
    ls -A; pwd; cat name; cat <&3
    echo gone > $D/devices/create
    cat $D/devices/gone/name; cat name; cat <&3`);
  t.equal(stdout, `${mounted.dir}/devices/gone\ngone\n`);
  t.same(stderr.trimEnd().split('\n'), [
    'cat: name: No such file or directory',
    'cat: -: No such device',
    'cat: name: No such file or directory',
    'cat: -: No such device',
  ]);
});
