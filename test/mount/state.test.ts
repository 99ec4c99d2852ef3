import {
  copyFileSync,
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
import { fixtureFile } from '../pci/host.js';
import { killDaemon, mdevfs, mountpoint, statusOf } from './command.js';
import { noMounts } from './mounted.js';

const skip = noMounts() ?? false;
const fixtureOf = (name: string) => fileURLToPath(new URL(`../../../fixtures/${name}.json`, import.meta.url));
const defaultFixture = fixtureOf('default');
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

const write = (dir: string, file: string, text: string) => writeFileSync(join(dir, file), text);
const read = (dir: string, file: string) => readFileSync(join(dir, file), 'utf8');
const HOTPLUG = 'kernel/debug/mdevfs/hotplug';
const FAIL = 'kernel/debug/mdevfs/fail';
const T4 = '0000:3b:00.0';

/** What users do to hardware, by the fixture that they do it on. */
const histories: [string, string, (dir: string, scratch: string) => void][] = [
  [
    'a fixture is plugged in from a file that is gone since',
    'samples',
    (dir, scratch) => {
      const file = join(scratch, 'card.json');
      copyFileSync(fixtureOf('nvidia-t4'), file);
      t.equal(mdevfs('plug', dir, file).status, 0);
      rmSync(file);
      write(dir, `class/mdev_bus/${T4}/mdev_supported_types/nvidia-222/create`, uuidOf(1));
      write(dir, `bus/mdev/devices/${uuidOf(1)}/nvidia/vgpu_params`, 'a=b');
      create(dir, 2);
    },
  ],
  [
    'a fixture is plugged in by its name, and a part of it is pulled again',
    'samples',
    (dir) => {
      write(dir, HOTPLUG, 'add nvidia-m60');
      write(dir, 'class/mdev_bus/0000:83:00.0/mdev_supported_types/nvidia-14/create', uuidOf(1));
      write(dir, HOTPLUG, 'remove 0000:84:00.0');
    },
  ],
  [
    'parents are unplugged: a function, and the card of a sample driver',
    'default',
    (dir) => {
      create(dir, 1);
      write(dir, HOTPLUG, `remove ${T4}`);
      write(dir, HOTPLUG, 'remove mtty');
    },
  ],
  [
    'another card is put into the slot of one that was pulled',
    'default',
    (dir) => {
      write(dir, HOTPLUG, `remove ${T4}`);
      const was = fixtureFile('fixtures/default.json').pci!.functions.find(({ address }) => address === T4);
      write(dir, HOTPLUG, JSON.stringify({ ...was, revision: 'b7' }));
      write(dir, `class/mdev_bus/${T4}/mdev_supported_types/nvidia-222/create`, uuidOf(1));
    },
  ],
  [
    'virtual functions are made, fewer than at boot, with a device on one',
    'nvidia-a100-sriov',
    (dir) => {
      const numVfs = 'bus/pci/devices/0000:17:00.0/sriov_numvfs';
      write(dir, numVfs, '0');
      write(dir, numVfs, '4');
      const parent = readdirSync(join(dir, 'class/mdev_bus')).sort()[3]!;
      const [type] = readdirSync(join(dir, 'class/mdev_bus', parent, 'mdev_supported_types'));
      write(dir, `class/mdev_bus/${parent}/mdev_supported_types/${type}/create`, uuidOf(1));
    },
  ],
  [
    'a function changes its driver, and subchannels come',
    'default',
    (dir) => {
      write(dir, `bus/pci/devices/${T4}/driver/unbind`, T4);
      write(dir, `bus/pci/devices/${T4}/driver_override`, 'nvidia');
      write(dir, 'bus/pci/drivers/nvidia/bind', T4);
      write(dir, `class/mdev_bus/${T4}/mdev_supported_types/nvidia-222/create`, uuidOf(1));
      write(dir, HOTPLUG, 'add s390-ccw');
    },
  ],
  [
    'rules of fault injection are set, and one has struck as often as it does',
    'samples',
    (dir) => {
      create(dir, 1);
      write(dir, FAIL, 'op=probe driver=mtty errno=ENODEV\nop=read path=uevent errno=EIO times=1');
      write(dir, FAIL, 'op=write device=mtty path=no_such errno=EIO');
      write(dir, FAIL, 'clear 3');
      t.throws(() => create(dir, 2), { code: 'ENODEV' });
      t.throws(() => read(dir, 'class/mtty/mtty/uevent'), { code: 'EIO' });
    },
  ],
];

for (const [what, fixture, history] of histories) {
  t.test(`${what}: kill -9 leaves it so`, { skip }, async (t) => {
    const dir = mountpoint(t);
    const at = scratch(t);
    const mount = () => mdevfs('mount', dir, '-f', fixture, '--state', join(at, 'state'));
    t.equal(mount().status, 0);
    history(dir, at);
    const before = await readTree(dir);
    const files = [HOTPLUG, FAIL].map((file) => read(dir, file));
    await killDaemon(dir);
    t.strictSame(mount(), {
      status: 0,
      stdout: `${dir}: mounted (daemon ${statusOf(dir)!.pid}, log ${statusOf(dir)!.log})\n`,
      stderr: `mdevfs: ${dir}: cleared the mount of a dead daemon\n`,
    });
    t.strictSame(
      [HOTPLUG, FAIL].map((file) => read(dir, file)),
      files,
    );
    if (files[1] !== '') write(dir, FAIL, 'clear');
    const differences = diffTrees(await readTree(dir), before).map(({ path }) => path);
    t.strictSame(
      differences.filter((path) => !/\/runtime_(active|suspended)_time$|\/uevent_seqnum$/.test(path)),
      [],
    );
  });
}

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
  const putBack = `cannot be put back on the machine of ${defaultFixture}`;
  const device = `device ${uuidOf(0)} of type mtty-9 on parent mtty: the parent has no such type: ENOENT`;
  refused(whole.replace('mtty-1', 'mtty-9'), `${putBack}: ${device}; ${wayOut}`);
  refused(whole.replace('mdevfs state 2', 'mdevfs state 3'), `written by a newer mdevfs; ${wayOut}`);
  const { fixture, state } = JSON.parse(whole) as { fixture: string; state: Record<string, unknown> };
  const { modules, mdevs } = state;
  for (const content of [
    whole,
    JSON.stringify({ format: 'mdevfs state 1', fixture, state: { modules, mdevs } }),
  ]) {
    writeFileSync(file, content);
    t.equal(mdevfs('mount', dir, '-f', 'default', '--state', file).status, 0);
    t.ok(existsSync(join(dir, 'bus/mdev/devices', uuidOf(0))));
    t.equal(readFileSync(file, 'utf8'), whole, 'in the present format');
    t.equal(mdevfs('umount', dir).status, 0);
  }
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
