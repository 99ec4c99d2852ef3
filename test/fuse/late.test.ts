import t from 'tap';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno, KernelError } from '../../src/lib/errno.js';
import { attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { Twin, u32, u64 } from './twin.js';

const O_WRONLY = 1;

/** A file whose stores end when the test says so. */
function sample() {
  const root = kernfsCreateRoot(() => 0);
  const writers: { text: string; wake: () => void; fail: (error: Error) => void }[] = [];
  root.add(
    attributeFile(
      root.root,
      {
        name: 'file',
        mode: 0o200,
        store: (_, text) =>
          new Promise<void>((wake, fail) => {
            writers.push({ text, wake, fail });
          }),
      },
      {},
    ),
  );
  return { twin: new Twin(root), writers };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('a write that sleeps is answered when it wakes up, others meanwhile', async (t) => {
  const { twin, writers } = sample();
  const [nodeid, fh] = twin.open('file', O_WRONLY);
  const first = twin.send(FuseOp.WRITE, nodeid, ...Twin.write(fh, 'first'));
  const second = twin.send(FuseOp.WRITE, nodeid, ...Twin.write(fh, 'the second'));
  await turn();
  t.equal(twin.reply(first), undefined);
  const other = twin.walk('file');
  t.not(other, nodeid, 'whoever comes next is served, by another number');
  const entry = twin.ask(FuseOp.LOOKUP, 1, 'file').body;
  t.equal(Number(entry.readBigUInt64LE(40)), nodeid, 'of the same inode');
  t.equal(twin.errno(FuseOp.GETATTR, other, u32(0), u32(0), u64(0)), 0);
  t.equal(twin.session.nodes.size, 3);
  twin.send(FuseOp.FORGET, other, u64(2));
  t.equal(twin.session.nodes.size, 2);
  t.same(
    writers.map(({ text }) => text),
    ['first', 'the second'],
    'the data is kept though the device reused its memory',
  );
  writers[1]!.wake();
  await turn();
  t.equal(twin.reply(first), undefined);
  t.equal(twin.reply(second)?.body.readUInt32LE(0), 10);
  writers[0]!.fail(new KernelError(Errno.EBUSY));
  await turn();
  t.equal(twin.reply(first)?.error, -Errno.EBUSY);
});

t.test('INTERRUPT has no reply and ends no sleep', async (t) => {
  const { twin, writers } = sample();
  const [nodeid, fh] = twin.open('file', O_WRONLY);
  const write = twin.send(FuseOp.WRITE, nodeid, ...Twin.write(fh, 'x'));
  t.equal(twin.reply(twin.send(FuseOp.INTERRUPT, 0, u64(write))), undefined);
  t.equal(twin.reply(twin.send(FuseOp.INTERRUPT, 0, u64(4711))), undefined);
  await turn();
  t.equal(twin.reply(write), undefined);
  writers[0]!.wake();
  await turn();
  t.equal(twin.reply(write)?.body.readUInt32LE(0), 1);
  t.same(twin.device.replies, []);
});
