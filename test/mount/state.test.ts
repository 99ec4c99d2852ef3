import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { readTree } from '../../src/host/tree-dir.js';
import { diffTrees } from '../../src/machine/tree-diff.js';
import { killDaemon, mdevfs, mountpoint } from './command.js';
import { noMounts } from './mounted.js';

const skip = noMounts() ?? false;
const defaultFixture = fileURLToPath(new URL('../../../fixtures/default.json', import.meta.url));
const uuidOf = (n: number) => `83b8f4f2-509f-382f-3c1e-${n.toString(16).padStart(12, '0')}`;

function scratch(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const create = (dir: string, n: number) =>
  writeFileSync(join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-1/create'), uuidOf(n));
const remove = (dir: string, n: number) =>
  writeFileSync(join(dir, 'bus/mdev/devices', uuidOf(n), 'remove'), '1');

t.test('a daemon that is killed loses nothing: the next one shows the same tree', { skip }, async (t) => {
  const dir = mountpoint(t);
  const file = join(scratch(t), 'state');
  const mount = () => mdevfs('mount', dir, '-f', 'default', '--state', file);
  t.equal(mount().status, 0);
  for (let n = 0; n < 4; n++) create(dir, n);
  remove(dir, 1);
  writeFileSync(join(dir, 'class/mdev_bus/0000:3b:00.0/mdev_supported_types/nvidia-222/create'), uuidOf(8));
  writeFileSync(join(dir, 'bus/mdev/devices', uuidOf(8), 'nvidia/vgpu_params'), 'a=b');
  writeFileSync(join(dir, 'kernel/debug/mdevfs/module'), 'modprobe mdpy count=7');
  create(dir, 9);
  const before = await readTree(dir);
  await killDaemon(dir);
  const { status, stderr } = mount();
  t.strictSame([status, stderr], [0, `mdevfs: ${dir}: cleared the mount of a dead daemon\n`]);
  const differences = diffTrees(await readTree(dir), before).map(({ path }) => path);
  t.strictSame(
    differences.filter((path) => !/\/runtime_active_time$|\/uevent_seqnum$/.test(path)),
    [],
  );
  t.strictSame(readdirSync(join(dir, 'bus/mdev/devices')).sort(), [0, 2, 3, 8, 9].map(uuidOf));
  create(dir, 1);
  t.throws(() => create(dir, 9), { code: 'EEXIST' });
});

t.test('the file has a device before who made it is told', { skip }, async (t) => {
  const dir = mountpoint(t);
  const file = join(scratch(t), 'state');
  t.equal(mdevfs('mount', dir, '--state', file).status, 0);
  for (let n = 0; n < 20; n++) {
    create(dir, n);
    t.match(readFileSync(file, 'utf8'), uuidOf(n));
    if (n % 2 === 0) continue;
    remove(dir, n);
    t.notMatch(readFileSync(file, 'utf8'), uuidOf(n));
  }
});

t.test('without it, a restart is a reboot', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', dir).status, 0);
  create(dir, 0);
  t.equal(mdevfs('umount', dir).status, 0);
  t.equal(mdevfs('mount', dir).status, 0);
  t.strictSame(readdirSync(join(dir, 'bus/mdev/devices')), []);
});

t.test('what is no state of this machine is refused, and left as it is', { skip }, async (t) => {
  const dir = mountpoint(t);
  const file = join(scratch(t), 'state');
  t.equal(mdevfs('mount', dir, '-f', 'default', '--state', file).status, 0);
  create(dir, 0);
  t.equal(mdevfs('umount', dir).status, 0);
  const whole = readFileSync(file, 'utf8');
  const wayOut = 'it is left as it is. Remove it to begin anew, or give another file';
  const refused = (content: string, fault: string, fixture = 'default') => {
    writeFileSync(file, content);
    const { status, stdout, stderr } = mdevfs('mount', dir, '-f', fixture, '--state', file);
    t.strictSame([status, stdout, stderr], [1, '', `mdevfs: ${file}: ${fault}\n`]);
    t.equal(readFileSync(file, 'utf8'), content);
  };
  refused(whole.slice(0, whole.length / 2), `cut off; ${wayOut}`);
  refused('', `empty; ${wayOut}`);
  refused('root:x:0:0\n', `no state of mdevfs; ${wayOut}`);
  refused('{"name": "x"}', `no state of mdevfs; ${wayOut}`);
  refused(whole, `state of the machine default, not of samples; ${wayOut}`, 'samples');
  const other = whole.replace('mtty-1', 'mtty-9');
  refused(other, `cannot be put back on the machine of ${defaultFixture}: ENOENT; ${wayOut}`);
  writeFileSync(file, whole);
  t.equal(mdevfs('mount', dir, '-f', 'default', '--state', file).status, 0);
  t.ok(existsSync(join(dir, 'bus/mdev/devices', uuidOf(0))));
});

t.test('a file that cannot be written, and one that another mount has, is refused', { skip }, async (t) => {
  const [dir, other] = [mountpoint(t), mountpoint(t)];
  const { status, stderr } = mdevfs('mount', dir, '--state', '/proc/nowhere/state');
  t.strictSame([status, stderr], [1, 'mdevfs: /proc/nowhere/state: cannot be written: ENOENT\n']);
  const at = scratch(t);
  const file = join(at, 'state');
  t.equal(mdevfs('mount', dir, '--state', file).status, 0);
  symlinkSync('state', join(at, 'link'));
  const second = mdevfs('mount', other, '--state', join(at, 'link'));
  const fault = `mdevfs: ${file}: another mount keeps its state there; give another file\n`;
  t.strictSame([second.status, second.stderr], [1, fault]);
  const again = mdevfs('mount', dir, '--state', `${file}2`);
  const taken = `already mounted, with its state in ${file}; mdevfs umount ${dir} first`;
  t.equal(again.stderr, `mdevfs: ${dir}: ${taken}\n`);

  // Whoever makes a device has it, also when the file cannot be written any more.
  rmSync(at, { recursive: true });
  create(dir, 0);
  t.ok(existsSync(join(dir, 'bus/mdev/devices', uuidOf(0))));
});
