import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { KernfsDir } from '../../src/kernfs/dir.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { Twin } from './twin.js';

const O_WRONLY = 1;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A directory with a file that makes what is written to it, and says so twice. */
function sample(t: Test) {
  const root = kernfsCreateRoot(() => 1000);
  const dir = root.addDir('dir');
  const twin = new Twin(root);
  const path = join(t.testdir(), 'said');
  const fd = openSync(path, 'w');
  t.teardown(() => closeSync(fd));
  const say = (text: string) => twin.session.announce({ fd, message: Buffer.from(`${text}\n`) });
  const store = (_: unknown, name: string) => {
    if (name !== 'nothing') dir.add(new KernfsDir(root.root, name));
    say(`add ${name}`);
    say(`bind ${name}`);
  };
  dir.add(attributeFile(root.root, { name: 'create', mode: 0o200, store }, {}));
  const nodeid = twin.walk('dir');
  const [file, fh] = twin.open('dir/create', O_WRONLY);
  return {
    twin,
    say,
    said: () => readFileSync(path, 'utf8'),
    write: (text: string) => twin.send(FuseOp.WRITE, file, ...Twin.write(fh, text)),
    miss: (name: string) => twin.ask(FuseOp.LOOKUP, nodeid, name),
  };
}

t.test('a change is announced after what it outdates, and its write returns after that', async (t) => {
  const { twin, said, write, miss } = sample(t);
  miss('dev0');
  twin.notifier.held = true;
  const create = write('dev0');
  t.equal(said(), '', 'somebody may still be told that there is no dev0');
  t.equal(twin.reply(create), undefined);
  const order = twin.notifier.posts.map((post) => (Array.isArray(post) ? post.length : String(post.message)));
  t.same(order, [1, 'add dev0\n', 'bind dev0\n', 1], 'the name, the announcements, the answer');
  twin.notifier.run();
  t.equal(said(), 'add dev0\nbind dev0\n');
  t.equal(twin.reply(create)?.error, 0);
});

t.test('what outdates nothing is announced at once, without the notifier', async (t) => {
  const { twin, said, write } = sample(t);
  t.equal(twin.reply(write('nothing'))?.error, 0);
  t.equal(said(), 'add nothing\nbind nothing\n');
  t.same(twin.notifier.posts, []);
});

t.test('announcements never overtake each other', async (t) => {
  const { twin, said, write, miss } = sample(t);
  miss('dev0');
  twin.notifier.held = true;
  write('dev0');
  const second = write('nothing');
  t.equal(said(), '');
  t.equal(twin.reply(second), undefined);
  twin.notifier.run();
  t.equal(said(), 'add dev0\nbind dev0\nadd nothing\nbind nothing\n');
  t.equal(twin.reply(second)?.error, 0);
});

t.test('what happens outside of a request is announced in the same turn', async (t) => {
  const { said, say } = sample(t);
  say('change');
  t.equal(said(), '');
  await turn();
  t.equal(said(), 'change\n');
});
