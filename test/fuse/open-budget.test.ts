import t from 'tap';
import { MOST_OPEN, OpenBudget } from '../../src/fuse/open-budget.js';
import { KernfsFile } from '../../src/kernfs/file.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno } from '../../src/lib/errno.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { Twin, u32, u64 } from './twin.js';

t.test('a user has so many files of a mount open, and others have theirs', async (t) => {
  const budget = new OpenBudget();
  for (let n = 0; n < MOST_OPEN; n++) budget.opened(1000);
  t.throws(() => budget.assertRoom(1000), { code: 'EMFILE' });
  budget.assertRoom(1001);
  budget.closed(1000);
  budget.assertRoom(1000);
});

t.test('an open beyond it is EMFILE, and a file that is closed makes room', async (t) => {
  const root = kernfsCreateRoot(() => 0);
  root.add(new KernfsFile(root.root, 'file', 0o444, { size: 0, show: () => 'text\n' }));
  const twin = new Twin(root);
  const nodeid = twin.walk('file');
  const open = () => twin.ask(FuseOp.OPEN, nodeid, u32(0), u32(0));
  let fh = 0n;
  for (let n = 0; n < MOST_OPEN; n++) fh = open().body.readBigUInt64LE(0);
  t.equal(open().error, -Errno.EMFILE);
  t.equal(twin.errno(FuseOp.RELEASE, nodeid, u64(Number(fh)), u32(0), u32(0), u64(0)), 0);
  t.equal(open().error, 0);
});
