import t from 'tap';
import type { KernfsFile } from '../../src/kernfs/file.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import type { Attribute } from '../../src/sysfs/attribute.js';
import { attributeFile } from '../../src/sysfs/attribute.js';

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;

function file(attribute: Omit<Attribute<null>, 'name'>): KernfsFile {
  const root = kernfsCreateRoot(() => 1000);
  return root.add(attributeFile(root.root, { name: 'attr', ...attribute }, null));
}

const text = (data: Uint8Array) => Buffer.from(data).toString();

t.test('an attribute has the size of a page, whatever it shows', async (t) => {
  t.equal(file({ mode: 0o444, show: () => 'x' }).size, 4096);
});

t.test('opening needs a mode bit and a method, for root too', async (t) => {
  const writeOnly = file({ mode: 0o200, store: () => {} });
  t.throws(() => writeOnly.open(O_RDONLY), { code: 'EACCES' });
  t.throws(() => writeOnly.open(O_RDWR), { code: 'EACCES' });
  t.ok(writeOnly.open(O_WRONLY));
  const readOnly = file({ mode: 0o444, show: () => '' });
  t.throws(() => readOnly.open(O_WRONLY), { code: 'EACCES' });
  readOnly.setattr({ mode: 0o666 });
  t.throws(() => readOnly.open(O_WRONLY), { code: 'EACCES' }, 'a mode bit without a store does not help');
  readOnly.setattr({ mode: 0 });
  t.throws(() => readOnly.open(O_RDONLY), { code: 'EACCES' });
});

t.test('the value is produced anew at offset 0 and after a jump, not while reading goes on', async (t) => {
  let value = 24;
  const open = file({ mode: 0o444, show: () => `${value}\n` }).open(O_RDONLY);
  t.equal(text(open.read(0, 10)), '24\n');
  value = 23;
  t.equal(text(open.read(3, 10)), '');
  t.equal(text(open.read(0, 10)), '23\n');
  t.equal(text(open.read(1, 10)), '3\n');
  value = 22;
  t.equal(text(open.read(0, 1)), '2');
  value = 99;
  t.equal(text(open.read(1, 10)), '2\n', 'the rest of what was begun');
  t.equal(text(open.read(1, 1)), '9');
});

t.test('a text of a page or more is cut', async (t) => {
  const open = file({ mode: 0o444, show: () => 'x'.repeat(5000) }).open(O_RDONLY);
  t.equal(open.read(0, 8192).length, 4095);
});

t.test('one write is one store of at most a page; the offset is ignored', async (t) => {
  const stored: string[] = [];
  const open = file({ mode: 0o200, store: (_, text) => void stored.push(text) }).open(O_WRONLY);
  t.equal(open.write(Buffer.from('abc'), 100), 3);
  t.equal(open.write(Buffer.from('x'.repeat(5000))), 4096);
  t.equal(open.write(Buffer.alloc(0)), 0);
  t.strictSame(
    stored.map((text) => text.length),
    [3, 4096],
  );
});

t.test('an errno of show or store is what read or write gets', async (t) => {
  const { KernelError, Errno } = await import('../../src/lib/errno.js');
  const fail = () => {
    throw new KernelError(Errno.EIO);
  };
  const open = file({ mode: 0o644, show: fail, store: fail }).open(O_RDWR);
  t.equal(open.read(0, 0).length, 0);
  t.throws(() => open.read(0, 1), { code: 'EIO' });
  t.throws(() => open.read(100, 1), { code: 'EIO' });
  t.throws(() => open.write(Buffer.from('x')), { code: 'EIO' });
});

t.test('a removed file fails with ENODEV, also for an empty write', async (t) => {
  const node = file({ mode: 0o644, show: () => 'text', store: () => {} });
  const open = node.open(O_RDWR);
  t.equal(text(open.read(0, 2)), 'te');
  node.parent!.removeChild('attr');
  t.equal(text(open.read(2, 2)), 'xt', 'what was shown before can still be read');
  t.throws(() => open.read(4, 1), { code: 'ENODEV' });
  t.throws(() => open.read(0, 1), { code: 'ENODEV' });
  t.throws(() => open.write(Buffer.alloc(0)), { code: 'ENODEV' });
  t.throws(() => node.open(O_RDONLY), { code: 'ENODEV' });
  t.match(node.getattr(), { nlink: 1, size: 4096 });
});

t.test('poll reports a change until the value is read', async (t) => {
  const node = file({ mode: 0o444, show: () => 'x' });
  const open = node.open(O_RDONLY);
  t.equal(open.poll(), 335);
  open.read(0, 10);
  t.equal(open.poll(), 325);
  node.notify();
  t.equal(open.poll(), 335);
  open.read(0, 10);
  node.parent!.removeChild('attr');
  t.equal(open.poll() & 0b1010, 0b1010);
});
