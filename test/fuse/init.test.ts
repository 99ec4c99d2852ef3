import t from 'tap';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { Twin, u32 } from './twin.js';

const ATOMIC_O_TRUNC = 1 << 3;
const BIG_WRITES = 1 << 5;
const AUTO_INVAL_DATA = 1 << 12;
const DO_READDIRPLUS = 1 << 13;
const PARALLEL_DIROPS = 1 << 18;
const MAX_PAGES = 1 << 22;
const CACHE_SYMLINKS = 1 << 23;
const NO_OPENDIR_SUPPORT = 1 << 24;
const INIT_EXT = 1 << 30;

function init(major: number, minor: number, flags: number) {
  const twin = new Twin(kernfsCreateRoot(() => 0));
  const reply = twin.ask(FuseOp.INIT, 0, u32(major), u32(minor), u32(131072), u32(flags), u32(0));
  return { twin, ...reply };
}

t.test('INIT answers with the version both understand and asks for what is needed', async (t) => {
  const { error, body } = init(7, 45, 0x73fffffb);
  t.equal(error, 0);
  t.equal(body.length, 64);
  t.equal(body.readUInt32LE(0), 7);
  t.equal(body.readUInt32LE(4), 42);
  t.equal(
    body.readUInt32LE(12),
    ATOMIC_O_TRUNC |
      BIG_WRITES |
      AUTO_INVAL_DATA |
      DO_READDIRPLUS |
      PARALLEL_DIROPS |
      MAX_PAGES |
      CACHE_SYMLINKS |
      NO_OPENDIR_SUPPORT |
      INIT_EXT,
  );
  t.equal(body.readUInt32LE(20), 8192, 'max_write is more than a store takes');
  t.equal(body.readUInt32LE(24), 1, 'times have nanoseconds');
  t.equal(body.readUInt16LE(28), 256);
});

t.test('an older kernel gets its own version and only what it offers', async (t) => {
  const { body } = init(7, 31, ATOMIC_O_TRUNC);
  t.equal(body.readUInt32LE(4), 31);
  t.equal(body.readUInt32LE(12), ATOMIC_O_TRUNC);
});

t.test('a kernel that cuts link texts at the size of the link does not keep them', async (t) => {
  t.equal(init(7, 41, -1).body.readUInt32LE(12) & CACHE_SYMLINKS, 0);
  t.equal(init(7, 42, -1).body.readUInt32LE(12) & CACHE_SYMLINKS, CACHE_SYMLINKS);
});

t.test('a kernel that is too old is refused with a line in the log', async (t) => {
  const { error, twin } = init(7, 30, 0);
  t.equal(error, -71);
  t.same(twin.log, ['mdevfs: this kernel speaks FUSE 7.30; 7.31 is needed']);
});

t.test('DESTROY is acknowledged', async (t) => {
  const { twin } = init(7, 45, 0);
  t.same(twin.ask(FuseOp.DESTROY, 0), { unique: 4, error: 0, body: Buffer.alloc(0) });
});
