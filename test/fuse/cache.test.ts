import t from 'tap';
import { KernfsDir } from '../../src/kernfs/dir.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { Twin, u32, u64 } from './twin.js';

const O_WRONLY = 1;

/** A directory with files that make and remove devices beside them. */
function sample() {
  const root = kernfsCreateRoot(() => 1000);
  const dir = root.addDir('dir');
  const addFile = (name: string, store: (text: string) => void | Promise<void>) =>
    dir.add(attributeFile(root.root, { name, mode: 0o200, store: (_, text) => store(text) }, {}));
  const addDevice = (name: string): void => {
    const device = dir.add(new KernfsDir(root.root, name));
    device.add(attributeFile(root.root, { name: 'attr', mode: 0o444, show: () => 'x\n' }, {}));
    device.addDir('power');
  };
  const wakers: (() => void)[] = [];
  addFile('create', addDevice);
  addFile('remove', (name) => dir.removeChild(name));
  addFile('remove_later', (name) =>
    new Promise<void>((wake) => void wakers.push(wake)).then(() => dir.removeChild(name)),
  );
  const twin = new Twin(root);
  const { invalidations } = twin.device;
  const write = (file: string, text: string): number => {
    const [nodeid, fh] = twin.open(`dir/${file}`, O_WRONLY);
    return twin.send(FuseOp.WRITE, nodeid, ...Twin.write(fh, text));
  };
  return { twin, dir, write, addDevice, wakers, taken: () => invalidations.splice(0) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('a new name takes back the listing, and itself only where it was missed', async (t) => {
  const { twin, dir, write, taken } = sample();
  const nodeid = twin.walk('dir');
  t.equal(twin.reply(write('create', 'dev0'))?.error, 0);
  t.same(taken(), [`INVAL_INODE ${dir.ino}`], 'nobody had asked for dev0');
  t.equal(twin.ask(FuseOp.LOOKUP, nodeid, 'dev1').body.readBigUInt64LE(0), 0n);
  t.equal(twin.reply(write('create', 'dev1'))?.error, 0);
  t.same(taken(), [`INVAL_INODE ${dir.ino}`, `INVAL_ENTRY ${dir.ino} dev1`]);
  t.equal(twin.session.cache.negatives.size, 0);
});

t.test('a directory that the kernel does not know is not talked about', async (t) => {
  const { twin, dir, addDevice, taken } = sample();
  addDevice('dev0');
  dir.removeChild('dev0');
  await turn();
  t.same(taken(), []);
  t.ok(twin);
});

t.test('a write is answered after the names it outdates, everybody else at once', async (t) => {
  const { twin, dir, write, addDevice, taken } = sample();
  addDevice('dev0');
  twin.walk('dir/dev0');
  taken();
  twin.notifier.held = true;
  const remove = write('remove', 'dev0');
  t.ok(taken().every((message) => message.startsWith('INVAL_INODE')));
  t.equal(twin.reply(remove), undefined, 'the writer waits');
  t.equal(twin.ask(FuseOp.LOOKUP, dir.ino, 'dev0').body.readBigUInt64LE(0), 0n, 'others do not');
  const create = write('create', 'dev9');
  t.equal(twin.reply(create), undefined, 'the next writer waits too: not everything is taken back yet');
  taken();
  twin.notifier.run();
  t.same(taken(), [`INVAL_ENTRY ${dir.ino} dev0`]);
  t.equal(twin.reply(remove)?.error, 0);
  t.equal(twin.reply(create)?.error, 0);
});

t.test('below a removed directory, what can still be reached is taken back too', async (t) => {
  const { twin, dir, write, addDevice, taken } = sample();
  addDevice('dev0');
  const device = twin.walk('dir/dev0');
  const power = twin.walk('dir/dev0/power');
  const [attribute, fh] = twin.open('dir/dev0/attr', 0);
  taken();
  t.equal(twin.reply(write('remove', 'dev0'))?.error, 0);
  t.same(
    taken().sort(),
    [
      `INVAL_ENTRY ${dir.ino} dev0`,
      `INVAL_ENTRY ${device} attr`,
      `INVAL_ENTRY ${device} power`,
      `INVAL_INODE ${dir.ino}`,
      `INVAL_INODE ${device}`,
      `INVAL_INODE ${power}`,
      `INVAL_INODE ${attribute}`,
    ].sort(),
  );
  twin.send(FuseOp.RELEASE, attribute, u64(fh), u32(0), u32(0), u64(0));
});

t.test('a file that nobody has open goes with its directory', async (t) => {
  const { twin, dir, write, addDevice, taken } = sample();
  addDevice('dev0');
  const device = twin.walk('dir/dev0');
  twin.walk('dir/dev0/attr');
  taken();
  write('remove', 'dev0');
  t.same(taken(), [`INVAL_INODE ${device}`, `INVAL_INODE ${dir.ino}`, `INVAL_ENTRY ${dir.ino} dev0`]);
});

t.test('attributes that somebody changes are taken back', async (t) => {
  const { twin, dir, taken } = sample();
  const nodeid = twin.walk('dir');
  dir.setattr({ mode: 0o700 });
  await turn();
  t.same(taken(), [`INVAL_INODE ${nodeid}`]);
});

t.test('what changes outside of a request is taken back in the same turn', async (t) => {
  const { twin, dir, addDevice, taken } = sample();
  const nodeid = twin.walk('dir');
  twin.ask(FuseOp.LOOKUP, nodeid, 'dev0');
  addDevice('dev0');
  addDevice('dev1');
  t.same(taken(), []);
  await Promise.resolve();
  t.same(taken(), [`INVAL_INODE ${dir.ino}`, `INVAL_ENTRY ${dir.ino} dev0`], 'once for both');
});

t.test('a write that slept is answered after what it outdates in the end', async (t) => {
  const { twin, dir, write, addDevice, wakers, taken } = sample();
  addDevice('dev0');
  twin.walk('dir/dev0');
  const remove = write('remove_later', 'dev0');
  await turn();
  t.same(taken(), [`INVAL_ENTRY ${dir.ino} remove_later`], 'the next writer needs a file with a free lock');
  twin.notifier.held = true;
  wakers[0]!();
  await turn();
  t.equal(twin.reply(remove), undefined);
  t.ok(taken().includes(`INVAL_INODE ${dir.ino}`));
  twin.notifier.run();
  t.same(taken(), [`INVAL_ENTRY ${dir.ino} dev0`]);
  t.equal(twin.reply(remove)?.error, 0);
});

t.test('a listing is taken back when nobody can be putting it away any more', async (t) => {
  const { twin, dir, write, taken } = sample();
  const nodeid = twin.walk('dir');
  const list = () =>
    twin.ask(FuseOp.READDIR, nodeid, u64(0), u64(0), u32(4096), u32(0), u64(0), u32(0), u32(0));
  const inode = `INVAL_INODE ${dir.ino}`;
  list();
  list();
  write('create', 'dev0');
  t.same(taken(), [`INVAL_ENTRY ${dir.ino} dev0`, inode], 'the name first, which waits for readers');
  write('create', 'dev1');
  t.same(taken(), [inode], 'nobody has listed the directory since');
  list();
  write('remove', 'dev0');
  t.same(taken(), [`INVAL_ENTRY ${dir.ino} dev0`, inode], 'though nobody knew the name');
  list();
  twin.notifier.held = true;
  const create = write('create', 'dev2');
  list();
  t.same(taken(), []);
  t.equal(twin.reply(create), undefined, 'the writer waits for the readers');
  twin.notifier.run();
  t.same(taken(), [`INVAL_ENTRY ${dir.ino} dev2`, inode]);
  t.equal(twin.reply(create)?.error, 0);
});

t.test('a listing of a removed directory is taken back in the same way', async (t) => {
  const { twin, write, addDevice, taken } = sample();
  addDevice('dev0');
  const device = twin.walk('dir/dev0');
  twin.ask(FuseOp.READDIR, device, u64(0), u64(0), u32(4096), u32(0), u64(0), u32(0), u32(0));
  write('remove', 'dev0');
  const about = taken().filter((message) => message.includes(` ${device}`));
  t.equal(about.at(-1), `INVAL_INODE ${device}`);
  t.ok(about.at(-2)?.startsWith(`INVAL_ENTRY ${device} `));
});

t.test('a name is remembered as missing only as long as the list of such names has room', async (t) => {
  const { twin } = sample();
  const nodeid = twin.walk('dir');
  const limit = 65_536;
  for (let n = 0; n < limit; n++) twin.send(FuseOp.LOOKUP, 1, `missing${n}`);
  twin.device.replies.splice(0);
  t.equal(twin.errno(FuseOp.LOOKUP, nodeid, 'one-too-many'), 2, 'ENOENT, which the kernel forgets');
  t.equal(twin.ask(FuseOp.LOOKUP, 1, 'missing7').error, 0, 'it may ask again for what it may remember');
  t.equal(twin.session.cache.negatives.size, limit);
});

t.test('with a directory the kernel forgets what is missing in it', async (t) => {
  const { twin } = sample();
  const nodeid = twin.walk('dir');
  twin.ask(FuseOp.LOOKUP, nodeid, 'missing');
  t.equal(twin.session.cache.negatives.size, 1);
  twin.send(FuseOp.FORGET, nodeid, u64(1));
  t.equal(twin.session.cache.negatives.size, 0);
});
