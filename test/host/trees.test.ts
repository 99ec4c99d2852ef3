import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { readTree } from '../../src/host/tree-dir.js';
import { readTar } from '../../src/host/tree-tar.js';
import type { Tree } from '../../src/machine/tree.js';
import { machineTree } from '../../src/machine/tree-machine.js';
import { boot, differences, take } from '../machine/snapshots.js';
import { fixtureFile } from '../pci/host.js';

function scratch(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** What `cp -a` makes of a sysfs: what root cannot read is missing. */
function copy(tree: Tree, dir: string): void {
  mkdirSync(dir, { recursive: true });
  for (const [path, node] of tree.walk()) {
    const at = dir + path.slice('/sys'.length);
    if (node.kind === 'dir') mkdirSync(at);
    else if (node.kind === 'link') symlinkSync(node.text, at);
    else if (node.content) {
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, node.content);
      chmodSync(at, node.mode);
    }
  }
}

const original = () => machineTree(boot(fixtureFile('fixtures/default.json')));

t.test('a copied sysfs is as good as the sysfs: what was not copied is taken to be there', async (t) => {
  const dir = join(scratch(t), 'sys');
  copy(original(), dir);
  const { tree, text } = take(await readTree(dir));
  t.strictSame(differences(tree, original()), []);
  t.equal(take(await readTree(dir)).text, text);
});

for (const [name, flags] of [
  ['plain', ''],
  ['compressed', 'z'],
] as const) {
  t.test(`an archive is as good, ${name}, wherever the sysfs is in it`, async (t) => {
    const dir = scratch(t);
    copy(original(), join(dir, 'report/files/sys'));
    const file = join(dir, 'report.tar');
    t.equal(spawnSync('tar', [`-c${flags}f`, file, '-C', dir, 'report']).status, 0);
    const { tree, text } = take(await readTar(file));
    t.strictSame(differences(tree, original()), []);
    t.equal(take(await readTar(file)).text, text);
  });
}

t.test('zeros by which tar fills a file up to the size of sysfs are not its own', async (t) => {
  const dir = scratch(t);
  copy(original(), join(dir, 'sys'));
  const padded = join(dir, 'sys/class/mtty/mtty/mdev_supported_types/mtty-1/name');
  truncateSync(padded, 4096);
  const file = join(dir, 'sys.tar');
  t.equal(spawnSync('tar', ['-cf', file, '-C', dir, './sys']).status, 0);
  const tree = await readTar(file);
  const text = tree.text('/sys/devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/name');
  t.equal(text, 'Single port serial');
});

t.test('what could not be read when an archive or a copy was made is what the emulation has', async (t) => {
  const dir = scratch(t);
  copy(original(), join(dir, 'sys'));
  const types = join(dir, 'sys/class/mtty/mtty/mdev_supported_types');
  writeFileSync(join(types, 'mtty-1/name'), Buffer.alloc(4096));
  writeFileSync(join(types, 'mtty-2/name'), '');
  writeFileSync(join(dir, 'sys/firmware/unread'), '');
  const file = join(dir, 'sys.tar');
  t.equal(spawnSync('tar', ['-cf', file, '-C', dir, './sys']).status, 0);
  for (const tree of [await readTar(file), await readTree(join(dir, 'sys'))]) {
    const { tree: shown, fixture } = take(tree);
    t.strictSame(fixture.overrides, {});
    t.strictSame(
      differences(shown, original()).map((line) => line.split(':')[0]),
      ['/sys/firmware/unread'],
    );
    t.equal(shown.text('/sys/firmware/unread'), '', 'what the emulation has not is there, and empty');
  }
});

t.test('what is no archive and what has no sysfs in it is refused', async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'x.tar');
  writeFileSync(file, 'no archive at all\n'.repeat(100));
  await t.rejects(readTar(file));
  t.equal(spawnSync('tar', ['-cf', `${file}2`, '-C', dir, 'x.tar']).status, 0);
  await t.rejects(readTar(`${file}2`), /no directories bus, class and devices in it/);
});

t.test('huge files, files that cannot be read and other things are survived', async (t) => {
  const dir = join(scratch(t), 'sys');
  copy(original(), dir);
  writeFileSync(join(dir, 'firmware/huge'), '');
  truncateSync(join(dir, 'firmware/huge'), 10 * 2 ** 30);
  spawnSync('mkfifo', [join(dir, 'firmware/fifo')]);
  writeFileSync(join(dir, 'firmware/closed'), 'x', { mode: 0o200 });
  symlinkSync('/etc/passwd', join(dir, 'firmware/outside'));
  let counted = 0;
  const tree = await readTree(dir, {
    progress: (nodes) => {
      counted = nodes;
    },
  });
  t.ok(counted > 600);
  const { tree: shown } = take(tree);
  t.strictSame(
    differences(shown, original()).map((line) => line.split(':')[0]),
    ['/sys/firmware/closed', '/sys/firmware/huge'],
  );
  t.match(shown.find('/sys/firmware/huge'), { kind: 'file' });
  await t.rejects(readTree(join(dir, 'none')), { code: 'ENOENT' });
});

t.test("this machine's own /sys becomes a host", async (t) => {
  const real = await readTree('/sys');
  const { tree, fixture, text } = take(real);
  t.ok(fixture.devices.length > 0 || fixture.pci);
  for (const dir of ['/sys/bus/pci/devices', '/sys/class/net'])
    t.strictSame(tree.names(dir), real.names(dir));
  t.equal(take(tree).text, text);
});
