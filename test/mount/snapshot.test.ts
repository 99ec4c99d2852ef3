import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readTree } from '../../src/host/tree-dir.js';
import type { Fixture } from '../../src/machine/fixture.js';
import { diffTrees } from '../../src/machine/tree-diff.js';
import { mdevfs, mountpoint } from './command.js';
import { noMounts } from './mounted.js';

const skip = noMounts() ?? false;

/** Time goes by in both. */
const passes = /\/power\/runtime_active_time$/;

function scratch(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const uuidOf = (n: number) => `83b8f4f2-509f-382f-3c1e-${n.toString(16).padStart(12, '0')}`;

// Every fixture is compared in process (test/machine/snapshot.test.ts); over mounts, one with every kind of parent.
t.test('a mount, and the mount of its snapshot, are the same tree', { skip }, async (t) => {
  const [one, other] = [mountpoint(t), mountpoint(t)];
  t.equal(mdevfs('mount', one, '-f', 'clients').status, 0);
  const parents = join(one, 'class/mdev_bus');
  for (const [n, parent] of readdirSync(parents).sort().entries()) {
    const types = join(parents, parent, 'mdev_supported_types');
    writeFileSync(join(types, readdirSync(types).sort()[0]!, 'create'), uuidOf(n));
  }
  const first = mdevfs('snapshot', '--sysfs', one);
  t.strictSame([first.status, first.stderr], [0, '']);
  const file = join(scratch(t), 'host.json');
  writeFileSync(file, first.stdout);
  const mounted = mdevfs('mount', other, '-f', file);
  t.strictSame([mounted.status, mounted.stderr], [0, '']);
  const differences = diffTrees(await readTree(other), await readTree(one)).map(({ path }) => path);
  t.strictSame(
    differences.filter((path) => !passes.test(path)),
    [],
  );
  t.equal(mdevfs('snapshot', '--sysfs', other).stdout, first.stdout);
});

t.test('files that GNU tar could not read are no part of a snapshot of its archive', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', dir, '-f', 'samples').status, 0);
  const archive = join(scratch(t), 'sys.tar');
  writeFileSync(join(dir, 'kernel/debug/mdevfs/fail'), 'op=read path=**/mtty-1/name errno=EIO');
  const env = { ...process.env, LC_ALL: 'C' };
  const { stderr } = spawnSync('tar', ['-cf', archive, '-C', dir, '.'], { encoding: 'utf8', env });
  t.match(stderr, /mtty-1\/name: Read error at byte 0/);
  const { overrides, nodes } = JSON.parse(mdevfs('snapshot', '--sysfs', archive).stdout) as Fixture;
  t.strictSame([overrides, nodes], [{}, {}]);
  // A tree that is no copy tells.
  const told = JSON.parse(mdevfs('snapshot', '--sysfs', dir).stdout) as Fixture;
  t.strictSame(told.overrides, {
    '/sys/devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/name': { readError: 'EIO' },
  });
});

t.test('what cannot be read is named, with exit code 2', async (t) => {
  const dir = scratch(t);
  const fails = (args: string[], message: string | RegExp) => {
    const { status, stdout, stderr } = mdevfs('snapshot', ...args);
    t.strictSame([status, stdout], [2, '']);
    t.match(stderr, message);
  };
  fails(['--sysfs', join(dir, 'none')], `mdevfs: ${join(dir, 'none')}: no such file or directory\n`);
  fails(['--sysfs', dir], `mdevfs: ${dir}: no sysfs, since it has no directories bus and devices`);
  const file = join(dir, 'x');
  writeFileSync(file, 'P: /devices/x\nbroken\n');
  fails(['--sysfs', file], `mdevfs: ${file}:2: expected a letter, ": " and more\n`);
  writeFileSync(file, 'something else');
  fails(['--sysfs', file], 'expected a directory, a tar archive of one, or a .umockdev recording\n');
  fails(['--anonymous'], /unknown option '--anonymous'/);
});

t.test('a recording of umockdev is a host', { skip }, async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'x.umockdev');
  writeFileSync(file, 'P: /devices/virtual/net/tap0\nE: SUBSYSTEM=net\nA: address=52:54:00:12:34:56\\n\n');
  const host = join(dir, 'host.json');
  writeFileSync(host, mdevfs('snapshot', '--anonymize', '--sysfs', file).stdout);
  const at = mountpoint(t);
  t.equal(mdevfs('mount', at, '-f', host).status, 0);
  t.equal(readFileSync(join(at, 'class/net/tap0/address'), 'utf8'), '02:00:00:00:00:01\n');
});
