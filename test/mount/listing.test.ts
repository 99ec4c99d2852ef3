import t from 'tap';
import { kernfsNameHash } from '../../src/kernfs/hash.js';
import { MountedSample, noMounts } from './mounted.js';

const skip = noMounts() ?? false;
const END = 0x7fffffff;

t.test('directories are listed as the kernel lists them', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  const { sys } = mounted;
  const names = Array.from({ length: 40 }, (_, i) => `device-${i}`);
  for (const name of names) mounted.write('devices/create', name);
  const order = [...names, 'dev0', 'dev1', 'create'].sort((a, b) => kernfsNameHash(a) - kernfsNameHash(b));

  t.test('in the order of the name hash, each position the hash of the next', async (t) => {
    const fd = sys.open('/sys/devices', 0o200000);
    const entries = sys.getdents64(fd, 32768);
    t.same(
      entries.map(({ name }) => name),
      ['.', '..', ...order],
    );
    t.same(
      entries.map(({ off }) => off),
      [1, ...order.map(kernfsNameHash), END],
    );
    t.same(new Set(entries.map(({ name, type }) => (name === 'create' ? type - 4 : type))), new Set([4]));
    t.same(sys.getdents64(fd, 32768), []);
    sys.lseek(fd, kernfsNameHash(order[20]!), 0);
    t.equal(sys.getdents64(fd, 32768)[0]?.name, order[20], 'seekdir goes to any entry');
    t.equal(sys.lseek(fd, 0, 2), 0, 'SEEK_END is the size');
    t.equal(sys.getdents64(fd, 32768)[0]?.name, '.');
    sys.close(fd);
  });

  t.test('inode numbers are those of stat', async (t) => {
    const listed = mounted.sh('ls -i1 devices | sed "s/^ *//" | sort -k2').stdout;
    t.equal(listed, mounted.sh('cd devices; stat -c "%i %n" * | sort -k2').stdout);
  });

  t.test('a position stays where it is while entries come and go', async (t) => {
    const fd = sys.open('/sys/devices', 0o200000);
    const start = sys.getdents64(fd, 200).map(({ name }) => name);
    const seen = start.slice(2);
    t.same(seen, order.slice(0, seen.length));
    // The kernel fetched more than was given out, and drops that when the position is set.
    const position = kernfsNameHash(order[seen.length]!);
    mounted.write(`devices/${order[0]}/remove`, '1');
    mounted.write(`devices/${order[seen.length]}/remove`, '1');
    sys.lseek(fd, position, 0);
    const rest: string[] = [];
    for (let part = sys.getdents64(fd, 200); part.length > 0; part = sys.getdents64(fd, 200))
      rest.push(...part.map(({ name }) => name));
    t.same(rest, order.slice(seen.length + 1));
    sys.close(fd);
  });
});
