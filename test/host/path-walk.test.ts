import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { closePlace, pathOfFd, trueName, type WalkOptions, walk } from '../../src/host/path-walk.js';

function scratch(t: Test): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'mdevfs-test-')));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ['a', 'a/b']) mkdirSync(join(dir, name));
  writeFileSync(join(dir, 'a/b/file'), '');
  const links = {
    up: '..',
    down: 'a/b',
    loop: 'loop',
    file: 'down/file',
    absolute: `${dir}/down/../b/`,
    gone: 'a/none',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(dir, name));
  return dir;
}

const nameOf = (path: string, options?: WalkOptions) => {
  const place = walk(path, options);
  closePlace(place);
  return place.path;
};

t.test('a walk comes to where the kernel comes to', async (t) => {
  const dir = scratch(t);
  for (const path of [
    '/',
    '/proc',
    dir,
    ...['up', 'down', 'down/file', 'file', 'absolute', 'up/..'].map((name) => join(dir, name)),
  ])
    t.equal(nameOf(path), realpathSync.native(path), path);
  t.equal(trueName(join(dir, 'down/new/dir')), join(dir, 'a/b/new/dir'));
  t.equal(trueName(join(dir, 'gone')), join(dir, 'a/none'));
  for (const [path, code] of [
    ['loop', 'ELOOP'],
    ['none/x', 'ENOENT'],
    ['file/x', 'ENOTDIR'],
  ] as const)
    t.throws(() => walk(join(dir, path)), { code });
  t.throws(() => walk(join(dir, 'down'), { noLinks: true }), { message: /: a link where there was none$/ });
});

t.test('what was walked to stays, and nothing else is left open', async (t) => {
  const dir = scratch(t);
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  const place = walk(join(dir, 'down'));
  t.equal(open(), before + 2);
  t.strictSame(readdirSync(pathOfFd(place.node!.fd)), ['file']);
  t.strictSame(readdirSync(pathOfFd(place.dir)), ['b']);
  closePlace(place);
  for (const path of ['loop', 'none/x', 'file/x']) t.throws(() => walk(join(dir, path)));
  t.equal(open(), before);
});

t.test('folders are made with the mode that was asked for, and looked at as others', async (t) => {
  const dir = scratch(t);
  const place = walk(join(dir, 'new/deep'), { ours: true, make: 0o700 });
  t.equal(place.node!.stat.mode & 0o777, 0o700);
  closePlace(place);
  chmodSync(join(dir, 'new'), 0o777);
  t.throws(() => walk(join(dir, 'new/other'), { ours: true, make: 0o700 }), {
    message: /\/new: everybody may write there/,
  });
  t.strictSame(readdirSync(join(dir, 'new')), ['deep']);
  chmodSync(join(dir, 'new'), 0o1777);
  t.equal(nameOf(join(dir, 'new/deep'), { ours: true }), join(dir, 'new/deep'));
});
