import t from 'tap';
import { KernfsFile } from '../../src/kernfs/file.js';
import { kernfsNameHash } from '../../src/kernfs/hash.js';
import type { KernfsLink } from '../../src/kernfs/link.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { AttributeGroup } from '../../src/sysfs/group.js';

const tree = () => kernfsCreateRoot(() => 1000);

t.test('a directory lists its entries by name hash', async (t) => {
  const dir = tree();
  for (let n = 0; n < 8; n++) dir.addDir(String(n));
  t.strictSame(dir.names(), ['7', '5', '3', '1', '6', '4', '2', '0'], 'the order of recorded iommu groups');
});

t.test('hashes are those of a real kernel', async (t) => {
  // Recorded d_off values of /sys/bus/mdev: each is the hash of the next name.
  const order = ['uevent', 'drivers_autoprobe', 'devices', 'drivers_probe', 'drivers'];
  const hashes = order.map(kernfsNameHash);
  t.strictSame(
    hashes,
    [...hashes].sort((a, b) => a - b),
  );
});

t.test('a reader goes on where it was while entries come and go', async (t) => {
  const dir = tree();
  for (let n = 0; n < 50; n++) dir.addDir(`entry${n}`);
  const all = [...dir.entriesFrom(2)];
  const middle = all[20]!;
  dir.removeChild(all[5]!.name);
  dir.removeChild(all[30]!.name);
  const rest = [...dir.entriesFrom(middle.nextOffset)].map((entry) => entry.name);
  t.strictSame(
    rest,
    all
      .slice(21)
      .filter((entry) => entry !== all[30])
      .map((entry) => entry.name),
  );
});

t.test('links count as entries, not as subdirectories, and have size 0', async (t) => {
  const root = tree();
  const a = root.addDir('a').addDir('b');
  const links = root.addDir('links');
  links.addLink('to-b', a);
  t.equal(links.nlink, 2);
  t.equal(root.nlink, 4);
  const link = links.lookup('to-b') as KernfsLink;
  t.equal(link.readlink(), '../a/b');
  t.equal(link.size, 0);
  t.equal(links.lookup('to-b'), link, 'a link is made once');
});

t.test('a link to a directory above itself goes through that directory by name', async (t) => {
  const device = tree().addDir('uuid');
  const below = device.addDir('vfio-dev').addDir('vfio0');
  below.addLink('device', device);
  t.equal((below.lookup('device') as KernfsLink).readlink(), '../../../uuid');
});

t.test('a removed directory is empty, finds nothing and takes nothing', async (t) => {
  const root = tree();
  const dir = root.addDir('dir');
  const below = dir.addDir('below');
  root.removeChild('dir');
  t.ok(below.removed);
  t.strictSame(dir.names(), []);
  t.equal(dir.nlink, 2);
  t.throws(() => dir.lookup('below'), { code: 'ENOENT' });
  t.throws(() => dir.addDir('new'), { code: 'ENOENT' });
});

t.test('names are unique over children, links and templates', async (t) => {
  const dir = tree();
  dir.addTemplate(new AttributeGroup({ attributes: [{ name: 'attr', mode: 0o444, show: () => '' }] }));
  dir.addDir('dir');
  dir.addLink('link', dir);
  for (const name of ['attr', 'dir', 'link']) t.throws(() => dir.addDir(name), { code: 'EEXIST' }, name);
});

t.test('the nodes of a template are made on lookup, once, and go with it', async (t) => {
  const dir = tree();
  const group = new AttributeGroup({
    name: 'group',
    attributes: [{ name: 'attr', mode: 0o444, show: () => 'x' }],
  });
  dir.addTemplate(group);
  t.equal(dir.nlink, 3);
  const made = dir.lookup('group');
  t.equal(dir.lookup('group'), made);
  dir.removeTemplate(group);
  t.ok(made.removed);
  t.notOk(dir.has('group'));
  t.equal(dir.nlink, 2);
});

t.test('one name of a shared template can be hidden in one directory', async (t) => {
  const root = tree();
  const group = new AttributeGroup({
    attributes: ['a', 'b'].map((name) => ({ name, mode: 0o200, store: () => {} })),
  });
  const [one, two] = [root.addDir('one'), root.addDir('two')];
  one.addTemplate(group);
  two.addTemplate(group);
  const a = one.lookup('a') as KernfsFile;
  one.hide('a');
  t.ok(a.removed);
  t.strictSame(one.names(), ['b']);
  t.ok(two.has('a'));
  t.throws(() => one.hide('a'), { code: 'ENOENT' });
  one.removeTemplate(group);
  t.strictSame(one.names(), []);
});

t.test('inode numbers only grow and attributes that were changed stay', async (t) => {
  const root = tree();
  const first = root.addDir('first');
  root.removeChild('first');
  const second = root.addDir('first');
  t.ok(second.ino > first.ino);
  second.setattr({ mode: 0o700, uid: 5 });
  t.match(second.getattr(), { mode: 0o040700, uid: 5, gid: 0, size: 0, atime: 1000 });
  t.throws(() => second.setattr({ size: 2 ** 40 }), { code: 'EFBIG' });
});

t.test('a file in the place of another is there until the directory has no such entry', async (t) => {
  const dir = tree();
  const group = new AttributeGroup({
    attributes: ['one', 'two'].map((name) => ({ name, mode: 0o444, show: () => 'by itself' })),
  });
  dir.addTemplate(group);
  const file = (name: string, text: string) =>
    new KernfsFile(dir.root, name, 0o444, { size: 4096, show: () => text });
  const read = (name: string) =>
    Buffer.from((dir.lookup(name) as KernfsFile).open(0).read(0, 100)).toString();
  const before = dir.lookup('one');
  dir.cover(file('one', 'over'));
  dir.cover(file('new', 'new'));
  t.ok(before.removed);
  t.strictSame([read('one'), read('two'), read('new')], ['over', 'by itself', 'new']);
  t.strictSame([...dir.names()].sort(), ['new', 'one', 'two']);
  dir.cover(file('one', 'again'));
  t.equal(read('one'), 'again');
  dir.removeChild('one');
  t.equal(read('one'), 'by itself');
  dir.addDir('sub');
  t.throws(() => dir.cover(file('sub', '')), { code: 'EISDIR' });
  dir.cover(file('one', 'over'));
  dir.removeTemplate(group);
  t.strictSame([...dir.names()].sort(), ['new', 'sub']);
});
