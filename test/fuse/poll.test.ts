import t from 'tap';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { Twin, u32, u64 } from './twin.js';

const NOTIFY_POLL = 1;
const SCHEDULE_NOTIFY = 1;

function sample() {
  const root = kernfsCreateRoot(() => 0);
  const dir = root.addDir('dir');
  const file = dir.add(attributeFile(root.root, { name: 'file', mode: 0o444, show: () => 'x' }, {}));
  const twin = new Twin(root);
  const open = twin.open('dir/file', 0);
  const poll = (kh: number, flags = 0) =>
    twin.ask(FuseOp.POLL, open[0], u64(open[1]), u64(kh), u32(flags), u32(0xffff)).body.readUInt32LE(0);
  return { root, file, twin, open, poll };
}

t.test('POLL is exceptional until the value was read, and again after a notification', async (t) => {
  const { twin, open, poll, file } = sample();
  t.equal(poll(0), 335);
  twin.read(open, 10, 0);
  t.equal(poll(0), 325);
  file.notify();
  t.equal(poll(0), 335);
  twin.read(open, 10, 0);
  t.equal(poll(0), 325);
});

t.test('a poller that waits is woken once by a notification', async (t) => {
  const { twin, open, poll, file } = sample();
  twin.read(open, 10, 0);
  t.equal(poll(77, SCHEDULE_NOTIFY), 325);
  file.notify();
  file.notify();
  const kh = Buffer.alloc(8);
  kh.writeUInt32LE(77);
  t.same(twin.device.replies.splice(0), [{ unique: 0, error: NOTIFY_POLL, body: kh }]);
});

t.test('a poller that waits is woken by the removal of what holds the file', async (t) => {
  const { twin, open, poll, root } = sample();
  twin.read(open, 10, 0);
  poll(78, SCHEDULE_NOTIFY);
  root.addDir('other');
  root.removeChild('other');
  t.same(twin.device.replies, []);
  root.removeChild('dir');
  t.same(twin.device.replies, [], 'not before the name is taken back');
  await Promise.resolve();
  t.equal(twin.device.replies.length, 1);
  twin.device.replies.length = 0;
  t.equal(poll(78), 335);
});

t.test('nobody is woken for a handle that is closed', async (t) => {
  const { twin, open, poll, file } = sample();
  poll(79, SCHEDULE_NOTIFY);
  twin.ask(FuseOp.RELEASE, open[0], u64(open[1]), u32(0), u32(0), u64(0));
  file.notify();
  t.same(twin.device.replies, []);
});
