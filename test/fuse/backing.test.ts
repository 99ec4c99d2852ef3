import t from 'tap';
import { BackingSession } from '../../src/fuse/backing-session.js';
import type { BackingRegistry } from '../../src/fuse/backing.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno } from '../../src/lib/errno.js';
import { attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { attr, encode, Twin, TwinDevice, u32, u64 } from './twin.js';

const PASSTHROUGH = 1 << 7;
const DIRECT_IO = 1 << 0;
const INIT_EXT = 1 << 30;
const FLAGS2_PASSTHROUGH = 1 << 5;

/** A registry whose files open when the test says so. */
class TwinRegistry implements BackingRegistry {
  readonly registered: string[] = [];
  readonly unregistered: number[] = [];
  readonly pending: { resolve: (id: number) => void; reject: (error: Error) => void }[] = [];

  register(name: string): Promise<number> {
    this.registered.push(name);
    return new Promise((resolve, reject) => void this.pending.push({ resolve, reject }));
  }

  unregister(id: number): void {
    this.unregistered.push(id);
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function sample(kernelFlags2 = FLAGS2_PASSTHROUGH) {
  const root = kernfsCreateRoot(() => 0);
  const dir = root.addDir('dir');
  for (let n = 0; n < 2; n++) {
    const attribute = { name: `constant${n}`, mode: 0o444, constant: true, show: () => `text ${n}\n` };
    dir.add(attributeFile(root.root, attribute, {}));
  }
  dir.add(attributeFile(root.root, { name: 'value', mode: 0o444, show: () => 'x\n' }, {}));
  const registry = new TwinRegistry();
  const twin = new Twin(root, registry);
  const init = twin.ask(FuseOp.INIT, 0, u32(7), u32(45), u32(0), u32(INIT_EXT), u32(kernelFlags2)).body;
  const open = (name: string) => {
    const nodeid = twin.walk(`dir/${name}`);
    const { error, body } = twin.ask(FuseOp.OPEN, nodeid, u32(0), u32(0));
    const [fh, flags, backing] = [
      Number(body.readBigUInt64LE(0)),
      body.readUInt32LE(8),
      body.readUInt32LE(12),
    ];
    const close = () => twin.send(FuseOp.RELEASE, nodeid, u64(fh), u32(0), u32(0), u64(0));
    return {
      error,
      fh,
      nodeid,
      passes: flags === PASSTHROUGH,
      direct: (flags & DIRECT_IO) !== 0,
      backing,
      close,
    };
  };
  /** Opens a constant often enough to have it passed through. */
  const passThrough = async (name: string, id: number) => {
    open(name).close();
    open(name).close();
    registry.pending.shift()!.resolve(id);
    await turn();
  };
  const backings = () => twin.session.backings!;
  return { twin, root, dir, registry, init, open, passThrough, backings };
}

t.test('passthrough is agreed on where the kernel offers it', async (t) => {
  const { init } = sample();
  t.equal(init.readUInt32LE(32), FLAGS2_PASSTHROUGH);
  t.equal(init.readUInt32LE(36), 1, 'one file system below');
  const without = sample(0);
  t.equal(without.init.readUInt32LE(32), 0);
  t.equal(without.init.readUInt32LE(36), 0);
  t.equal(without.twin.session.backings, undefined);
});

t.test(
  'a constant that is opened again gets a backing file, and is passed through from then on',
  async (t) => {
    const { registry, open } = sample();
    const look = (name: string) => {
      const opened = open(name);
      opened.close();
      return opened;
    };
    t.match(look('constant0'), { direct: true, backing: 0 });
    t.same(registry.registered, [], 'once may be all there is');
    t.match(look('constant0'), { direct: true, backing: 0 });
    t.equal(registry.registered.length, 1);
    t.match(look('constant0'), { direct: true }, 'it is still being made');
    t.equal(registry.registered.length, 1);
    registry.pending[0]!.resolve(77);
    await turn();
    t.match(look('constant0'), { passes: true, direct: false, backing: 77 });
    t.match(look('constant1'), { direct: true });
  },
);

t.test('a backing file is named when all are closed that were opened without it', async (t) => {
  const { registry, open } = sample();
  const opened = [open('constant0'), open('constant0')];
  registry.pending[0]!.resolve(77);
  await turn();
  opened.push(open('constant0'));
  t.match(opened[2], { direct: true }, 'the answer to an open before may be under way');
  for (const { close } of opened) close();
  t.match(open('constant0'), { passes: true, backing: 77 });
  t.match(open('constant0'), { passes: true, backing: 77 }, 'and from then on by everybody');
});

t.test('a value is never passed through', async (t) => {
  const { registry, open } = sample();
  for (let n = 0; n < 5; n++) t.match(open('value'), { direct: true, backing: 0 });
  t.same(registry.registered, []);
});

t.test('the backing mount has the text, and refuses it once the attribute is gone', async (t) => {
  const { twin, dir, registry, passThrough, open, backings } = sample();
  await passThrough('constant1', 5);
  const [name] = registry.registered;
  const nodeid = backings().find(name!)!.nodeid;
  const device = new TwinDevice();
  let take!: (message: Buffer) => void;
  device.receive = (taker) => {
    take = taker;
    return new Promise(() => {});
  };
  void new BackingSession(backings(), device).serve();
  let unique = 0;
  const ask = (opcode: number, nodeid: number, ...fields: Parameters<typeof encode>) => {
    const body = encode(...fields);
    unique += 2;
    const header = [u32(40 + body.length), u32(opcode), u64(unique), u64(nodeid), u64(0), u64(0)];
    take(Buffer.concat([encode(...header), body]));
    return device.replies.pop()!;
  };
  const read = (offset: number) =>
    ask(FuseOp.READ, nodeid, u64(0), u64(offset), u32(4096), u32(0), u64(0), u32(0), u32(0));
  t.equal(ask(FuseOp.INIT, 0, u32(7), u32(45), u32(0), u32(0)).error, 0);
  for (const opcode of [FuseOp.OPEN, FuseOp.FLUSH])
    t.equal(ask(opcode, nodeid, u32(0), u32(0)).error, -Errno.ENOSYS, 'opened and closed without asking');
  t.equal(ask(FuseOp.LOOKUP, 1, 'nonesuch').error, -Errno.ENOENT);
  const entry = ask(FuseOp.LOOKUP, 1, name!).body;
  t.equal(Number(entry.readBigUInt64LE(0)), nodeid);
  t.equal(Number(entry.readBigUInt64LE(16)), 0, 'the name is asked for each time');
  t.match(attr(entry, 40), { mode: 0o100400, size: 7 });
  t.equal(read(0).body.toString(), 'text 1\n');
  t.equal(read(5).body.toString(), '1\n');
  t.equal(read(7).body.length, 0);

  const opened = open('constant1');
  dir.removeChild('constant1');
  await turn();
  t.ok(twin.device.invalidations.includes(`INVAL_INODE ${nodeid}`), 'its page is taken back');
  t.equal(read(0).error, -Errno.ENODEV);
  t.match(attr(ask(FuseOp.GETATTR, nodeid, u64(0), u64(0)).body, 16), { size: 4096 });
  t.same(registry.unregistered, [], 'the kernel wants no other file while this one is open');
  opened.close();
  t.same(registry.unregistered, [5]);
  t.notOk(twin.device.invalidations.includes(`INVAL_ENTRY 1 ${name}`), 'nothing waits for the directory');
  t.equal(backings().size, 0);
  t.equal(ask(FuseOp.LOOKUP, 1, name!).error, -Errno.ENOENT);
});

t.test('the next backing file gets the name of one that is gone, and is another file', async (t) => {
  const { dir, registry, passThrough, backings } = sample();
  await passThrough('constant0', 5);
  const [name] = registry.registered;
  const before = backings().find(name!)!.nodeid;
  dir.removeChild('constant0');
  await turn();
  t.equal(backings().find(name!), undefined);
  await passThrough('constant1', 6);
  t.same(registry.registered, [name, name]);
  t.equal(Buffer.from(backings().find(name!)!.text).toString(), 'text 1\n');
  t.not(backings().find(name!)!.nodeid, before);
});

t.test('a constant that goes while its backing file is made has none', async (t) => {
  const { dir, registry, open, backings } = sample();
  open('constant0').close();
  open('constant0').close();
  dir.removeChild('constant0');
  registry.pending[0]!.resolve(9);
  await turn();
  t.same(registry.unregistered, [9]);
  t.equal(backings().size, 0);
});

t.test('when backing files cannot be made, the log says so once and reads go the long way', async (t) => {
  const { twin, registry, open, backings } = sample();
  for (const name of ['constant0', 'constant1']) {
    open(name);
    open(name);
  }
  for (const { reject } of registry.pending) reject(new Error('FUSE_DEV_IOC_BACKING_OPEN: EPERM'));
  await turn();
  t.same(twin.log, ['mdevfs: reads are no longer passed through: FUSE_DEV_IOC_BACKING_OPEN: EPERM']);
  t.equal(backings().size, 0);
  t.match(open('constant0'), { direct: true });
  t.equal(registry.registered.length, 2);
});

t.test('of more constants than there may be backing files, those opened last have one', async (t) => {
  const root = kernfsCreateRoot(() => 0);
  const registry = new TwinRegistry();
  const twin = new Twin(root, registry);
  const limit = 1024;
  for (let n = 0; n <= limit; n++) {
    root.add(attributeFile(root.root, { name: `c${n}`, mode: 0o444, constant: true, show: () => '' }, {}));
    const nodeid = twin.walk(`c${n}`);
    for (let opens = 0; opens < 2; opens++) {
      const fh = Number(twin.ask(FuseOp.OPEN, nodeid, u32(0), u32(0)).body.readBigUInt64LE(0));
      // The very first stays open.
      if (n > 0 || opens > 0) twin.send(FuseOp.RELEASE, nodeid, u64(fh), u32(0), u32(0), u64(0));
    }
    registry.pending.shift()!.resolve(n);
    await Promise.resolve();
  }
  await turn();
  t.equal(twin.session.backings!.size, limit);
  t.same(registry.unregistered, [1], 'the oldest that nobody has open');
});
