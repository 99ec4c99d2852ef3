import t from 'tap';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno } from '../../src/lib/errno.js';
import { attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { attr, encode, type Field, Twin, u32, u64 } from './twin.js';

const FATTR_MODE = 1 << 0;
const FATTR_UID = 1 << 1;
const FATTR_GID = 1 << 2;
const FATTR_SIZE = 1 << 3;
const FATTR_ATIME = 1 << 4;
const FATTR_MTIME = 1 << 5;
const FATTR_ATIME_NOW = 1 << 7;

/** A tree at 100.000000500 s with a directory, a file and a link in it. */
function sample() {
  const root = kernfsCreateRoot(() => 100_000.0005);
  const dir = root.addDir('dir');
  const file = dir.add(attributeFile(root.root, { name: 'file', mode: 0o644, show: () => '' }, {}));
  root.addLink('link', file);
  const link = root.lookup('link');
  return { root, dir, file, link, twin: new Twin(root) };
}

const setattr = (valid: number, to: Record<string, number> = {}): Field[] => [
  u32(valid),
  u32(0),
  u64(0),
  u64(to.size ?? 0),
  u64(0),
  u64(to.atime ?? 0),
  u64(to.mtime ?? 0),
  u64(0),
  u32(to.atimensec ?? 0),
  u32(to.mtimensec ?? 0),
  u32(0),
  u32(to.mode ?? 0),
  u32(0),
  u32(to.uid ?? 0),
  u32(to.gid ?? 0),
  u32(0),
];

const HOUR = 3600;

t.test('LOOKUP gives node and attributes, for an hour', async (t) => {
  const { twin, dir, file } = sample();
  const { error, body } = twin.ask(FuseOp.LOOKUP, dir.ino, 'file');
  t.equal(error, -Errno.ENOENT, 'a node the kernel was not told about is none');
  t.equal(body.length, 0);
  twin.walk('dir');
  const entry = twin.ask(FuseOp.LOOKUP, dir.ino, 'file').body;
  t.equal(entry.length, 128);
  t.same(entry.subarray(0, 40), encode(u64(file.ino), u64(0), u64(HOUR), u64(HOUR), u32(0), u32(0)));
  t.same(attr(entry, 40), {
    ino: file.ino,
    size: 4096,
    blocks: 0,
    atime: [100, 500],
    mtime: [100, 500],
    ctime: [100, 500],
    mode: 0o100644,
    nlink: 1,
    uid: 0,
    gid: 0,
    rdev: 0,
    blksize: 4096,
    flags: 0,
  });
});

t.test('LOOKUP of a missing name is node 0, to be remembered, and ENOTDIR in a file', async (t) => {
  const { twin } = sample();
  for (const name of ['nope', 'DIR']) {
    const { error, body } = twin.ask(FuseOp.LOOKUP, 1, name);
    t.equal(error, 0);
    t.same(body, encode(u64(0), u64(0), u64(HOUR), u64(HOUR), Buffer.alloc(96)));
  }
  t.equal(twin.errno(FuseOp.LOOKUP, twin.walk('dir/file'), 'x'), Errno.ENOTDIR);
});

t.test('a node is known as long as the kernel counts lookups of it', async (t) => {
  const { twin, file } = sample();
  twin.walk('dir/file');
  twin.walk('dir/file');
  t.equal(twin.session.nodes.size, 3);
  t.equal(twin.reply(twin.send(FuseOp.FORGET, file.ino, u64(1))), undefined, 'FORGET has no reply');
  t.equal(twin.errno(FuseOp.GETATTR, file.ino, u32(0), u32(0), u64(0)), 0);
  twin.send(FuseOp.FORGET, file.ino, u64(1));
  t.equal(twin.session.nodes.size, 2);
  t.equal(twin.errno(FuseOp.GETATTR, file.ino, u32(0), u32(0), u64(0)), Errno.ENOENT);
});

t.test('BATCH_FORGET drops several, and never the root', async (t) => {
  const { twin, file, dir } = sample();
  twin.walk('dir/file');
  const pairs = [u64(file.ino), u64(1), u64(dir.ino), u64(1), u64(1), u64(5), u64(999), u64(1)];
  t.equal(twin.reply(twin.send(FuseOp.BATCH_FORGET, 0, u32(4), u32(0), ...pairs)), undefined);
  t.equal(twin.session.nodes.size, 1);
  t.equal(twin.walk('dir'), dir.ino);
});

t.test('GETATTR of a directory and a link', async (t) => {
  const { twin, dir, link } = sample();
  const get = (nodeid: number) => attr(twin.ask(FuseOp.GETATTR, nodeid, u32(0), u32(0), u64(0)).body, 16);
  dir.addDir('sub');
  const { mode, nlink, size } = get(twin.walk('dir'));
  t.same({ mode, nlink, size }, { mode: 0o40755, nlink: 3, size: 0 });
  t.match(get(twin.walk('link')), { ino: link.ino, mode: 0o120777, nlink: 1, size: 0 });
  t.equal(get(1).ino, 1);
});

t.test('GETATTR of a removed node answers by node, and is ENODEV by handle', async (t) => {
  const { twin, root } = sample();
  const [nodeid, fh] = twin.open('dir/file', 0);
  const dir = twin.walk('dir');
  root.removeChild('dir');
  const { body } = twin.ask(FuseOp.GETATTR, nodeid, u32(0), u32(0), u64(0));
  t.match(attr(body, 16), { size: 4096, nlink: 1 });
  t.equal(twin.errno(FuseOp.GETATTR, nodeid, u32(1), u32(0), u64(fh)), Errno.ENODEV);
  t.match(attr(twin.ask(FuseOp.GETATTR, dir, u32(0), u32(0), u64(0)).body, 16), { nlink: 2 });
  t.equal(twin.ask(FuseOp.LOOKUP, dir, 'file').body.readBigUInt64LE(0), 0n);
});

t.test('SETATTR changes what it names and keeps the rest', async (t) => {
  const { twin, file } = sample();
  const nodeid = twin.walk('dir/file');
  let got = attr(twin.ask(FuseOp.SETATTR, nodeid, ...setattr(FATTR_MODE, { mode: 0o104755 })).body, 16);
  t.match(got, { mode: 0o104755, uid: 0, gid: 0, size: 4096 });
  got = attr(
    twin.ask(FuseOp.SETATTR, nodeid, ...setattr(FATTR_UID | FATTR_GID, { uid: 7, gid: 8 })).body,
    16,
  );
  t.match(got, { mode: 0o104755, uid: 7, gid: 8 });
  const times = { atime: 1, atimensec: 5000, mtime: -2, mtimensec: 999_999_000 };
  got = attr(twin.ask(FuseOp.SETATTR, nodeid, ...setattr(FATTR_ATIME | FATTR_MTIME, times)).body, 16);
  t.match(got, { atime: [1, 5000], mtime: [-2, 999_999_000], ctime: [100, 500] });
  got = attr(
    twin.ask(FuseOp.SETATTR, nodeid, ...setattr(FATTR_ATIME | FATTR_ATIME_NOW, { atime: 5 })).body,
    16,
  );
  t.match(got, { atime: [100, 500], mtime: [-2, 999_999_000] });
  t.equal(file.getattr().mode, 0o104755);
});

t.test('SETATTR of a size changes no size, and is EFBIG beyond what a file may be', async (t) => {
  const { twin } = sample();
  const nodeid = twin.walk('dir/file');
  t.match(attr(twin.ask(FuseOp.SETATTR, nodeid, ...setattr(FATTR_SIZE, { size: 10 })).body, 16), {
    size: 4096,
  });
  t.equal(twin.errno(FuseOp.SETATTR, nodeid, ...setattr(FATTR_SIZE, { size: 2 ** 40 })), Errno.EFBIG);
});

t.test('READLINK gives the relative path, EINVAL for what is no link', async (t) => {
  const { twin } = sample();
  t.equal(twin.ask(FuseOp.READLINK, twin.walk('link')).body.toString(), 'dir/file');
  t.equal(twin.errno(FuseOp.READLINK, twin.walk('dir')), Errno.EINVAL);
});

t.test('STATFS has blocks of a page, none of them, and names of 255 bytes', async (t) => {
  const { body } = sample().twin.ask(FuseOp.STATFS, 1);
  const zero = Buffer.alloc(40);
  t.same(body, encode(zero, u32(4096), u32(255), u32(4096), u32(0), Buffer.alloc(24)));
});

t.test('ACCESS is granted for any node there is', async (t) => {
  const { twin } = sample();
  t.equal(twin.errno(FuseOp.ACCESS, 1, u32(7), u32(0)), 0);
  t.equal(twin.errno(FuseOp.ACCESS, 99, u32(7), u32(0)), Errno.ENOENT);
});
