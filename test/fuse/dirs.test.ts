import t from 'tap';
import { kernfsNameHash } from '../../src/kernfs/hash.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno } from '../../src/lib/errno.js';
import { attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { dirents, Twin, u32, u64 } from './twin.js';

const END = 0x7fffffff;
const [DT_DIR, DT_REG, DT_LNK] = [4, 8, 10];

function sample() {
  const root = kernfsCreateRoot(() => 0);
  const dir = root.addDir('dir');
  const file = dir.add(attributeFile(root.root, { name: 'uevent', mode: 0o644, show: () => '' }, {}));
  const sub = dir.addDir('power');
  dir.addLink('subsystem', root);
  const link = dir.lookup('subsystem');
  return { root, dir, file, sub, link, twin: new Twin(root) };
}

const byHash = (names: string[]) => names.sort((a, b) => kernfsNameHash(a) - kernfsNameHash(b));

t.test(
  'READDIR lists in hash order with real inode numbers; an offset is the hash of the next',
  async (t) => {
    const { twin, root, dir, file, sub, link } = sample();
    const nodeid = twin.walk('dir');
    t.equal(
      twin.errno(FuseOp.OPENDIR, nodeid, u32(0), u32(0)),
      Errno.ENOSYS,
      'the kernel keeps listings by itself',
    );
    const order = byHash(['uevent', 'power', 'subsystem']);
    const [first, second, third] = order;
    const info: Record<string, { ino: number; type: number }> = {
      uevent: { ino: file.ino, type: DT_REG },
      power: { ino: sub.ino, type: DT_DIR },
      subsystem: { ino: link.ino, type: DT_LNK },
    };
    const { body } = twin.ask(FuseOp.READDIR, nodeid, ...Twin.list(0));
    t.same(dirents(body), [
      { name: '.', ino: dir.ino, type: DT_DIR, off: 1 },
      { name: '..', ino: root.ino, type: DT_DIR, off: kernfsNameHash(first!) },
      { name: first, ...info[first!], off: kernfsNameHash(second!) },
      { name: second, ...info[second!], off: kernfsNameHash(third!) },
      { name: third, ...info[third!], off: END },
    ]);
    t.equal(twin.ask(FuseOp.READDIR, nodeid, ...Twin.list(END)).body.length, 0);
  },
);

t.test('READDIR fills only the room there is, and goes on from any offset', async (t) => {
  const { twin } = sample();
  const nodeid = twin.walk('dir');
  const whole = dirents(twin.ask(FuseOp.READDIR, nodeid, ...Twin.list(0)).body);
  const names: string[] = [];
  for (let offset = 0; offset !== END; ) {
    const { body } = twin.ask(FuseOp.READDIR, nodeid, ...Twin.list(offset, 50));
    const [entry, ...more] = dirents(body);
    t.same(more, [], 'one entry fits into 50 bytes');
    names.push(entry!.name);
    offset = entry!.off;
  }
  t.same(
    names,
    whole.map(({ name }) => name),
  );
  t.equal(twin.ask(FuseOp.READDIR, nodeid, ...Twin.list(0, 20)).body.length, 0);
});

t.test('a listing goes on at its place when entries come and go', async (t) => {
  const { twin, root } = sample();
  const names = byHash(Array.from({ length: 20 }, (_, i) => `d${i}`));
  const dir = root.addDir('many');
  for (const name of names.slice(0, 18)) dir.addDir(name);
  const nodeid = twin.walk('many');
  const start = dirents(twin.ask(FuseOp.READDIR, nodeid, ...Twin.list(0, 32 * 7)).body);
  t.same(
    start.map(({ name }) => name),
    ['.', '..', ...names.slice(0, 5)],
  );
  dir.removeChild(names[0]!);
  dir.removeChild(names[5]!);
  dir.removeChild(names[17]!);
  dir.addDir(names[18]!);
  const rest = dirents(twin.ask(FuseOp.READDIR, nodeid, ...Twin.list(start.at(-1)!.off)).body);
  t.same(
    rest.map(({ name }) => name),
    [...names.slice(6, 17), names[18]],
  );
});

t.test('a removed directory lists only . and ..', async (t) => {
  const { twin, root } = sample();
  const nodeid = twin.walk('dir');
  root.removeChild('dir');
  const list = (offset: number) =>
    dirents(twin.ask(FuseOp.READDIR, nodeid, ...Twin.list(offset)).body).map(({ name, off }) => [name, off]);
  t.same(list(0), [
    ['.', 1],
    ['..', END],
  ]);
  t.same(list(2), []);
});

t.test('READDIRPLUS looks every entry up and counts it, but not . and ..', async (t) => {
  const { twin, dir, file, sub, link } = sample();
  const nodeid = twin.walk('dir');
  const { body } = twin.ask(FuseOp.READDIRPLUS, nodeid, ...Twin.list(0));
  const nodeids = Object.fromEntries(dirents(body, true).map((entry) => [entry.name, entry.nodeid]));
  t.same(nodeids, { '.': 0, '..': 0, uevent: file.ino, power: sub.ino, subsystem: link.ino });
  t.equal(twin.session.nodes.size, 5);
  twin.send(FuseOp.FORGET, file.ino, u64(1));
  t.equal(twin.session.nodes.size, 4);
  const short = twin.ask(FuseOp.READDIRPLUS, nodeid, ...Twin.list(2, 170)).body;
  t.equal(dirents(short, true).length, 1);
  t.equal(twin.session.nodes.size, 4 + (dirents(short, true)[0]!.name === 'uevent' ? 1 : 0));
  t.equal(dir.ino, nodeid);
});

t.test('a directory operation on a file is ENOTDIR, FSYNCDIR is EINVAL', async (t) => {
  const { twin } = sample();
  const nodeid = twin.walk('dir/uevent');
  t.equal(twin.errno(FuseOp.READDIR, nodeid, ...Twin.list(0)), Errno.ENOTDIR);
  t.equal(twin.errno(FuseOp.FSYNCDIR, 1, u64(0), u32(0), u32(0)), Errno.EINVAL);
});
