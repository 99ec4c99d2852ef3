/**
 * Parents that come and go while a tree is mounted.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { main, mdevfs, mountpoint, plain, run } from './command.js';
import { noMounts, scratchDir, until } from './mounted.js';

const skip = noMounts() ?? false;
const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const GPU = '0000:3b:00.0';

function mounted(t: Test, fixture: string) {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', fixture, dir).status, 0);
  const at = (path: string) => join(dir, path);
  return { dir, at, parents: () => readdirSync(at('class/mdev_bus')).sort() };
}

t.test('echo to hotplug takes a parent away and puts it back, for everybody', { skip }, async (t) => {
  const { at, dir } = mounted(t, 'default');
  const script = `exec 2>&1
    H=kernel/debug/mdevfs/hotplug
    exec 3< kernel/debug/mdevfs/uevents
    ls class/mdev_bus; cat $H
    echo remove ${GPU} > $H
    ls class/mdev_bus; ls bus/pci/devices/${GPU}; cat $H
    echo add ${GPU} > $H
    ls class/mdev_bus; grep -E '@|MDEV_STATE' <&3
    echo add ${GPU} > $H; tail -n 1 kernel/debug/mdevfs/kmsg`;
  const device = '/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0';
  const real = run('realpath', [at(`bus/pci/devices/${GPU}`)])
    .stdout.trim()
    .slice(dir.length);
  t.equal(
    run('bash', ['--norc', '-c', script], { cwd: dir })
      .stdout.replace(/bash: line \d+: /g, '')
      .replaceAll(real, device),
    [
      `${GPU}\nmtty\n`,
      `${GPU} plugged\nmtty plugged\n`,
      'mtty\n',
      `ls: cannot access 'bus/pci/devices/${GPU}': No such file or directory\n`,
      `${GPU} unplugged\nmtty plugged\n`,
      `${GPU}\nmtty\n`,
      `change@${device}\nMDEV_STATE=unregistered\nunbind@${device}\nremove@${device}\n`,
      `add@${device}\nchange@${device}\nMDEV_STATE=registered\nbind@${device}\n`,
      'echo: write error: File exists\n',
      `mdevfs: hotplug: ${GPU}: is there\n`,
    ].join(''),
  );
});

t.test('removal waits for who has a device open, and others go on meanwhile', { skip }, async (t) => {
  const { dir, at, parents } = mounted(t, 'samples');
  writeFileSync(at('class/mdev_bus/mtty/mdev_supported_types/mtty-1/create'), UUID);
  const vm = spawn('env', [...plain, process.execPath, main, 'attach', UUID, '--at', dir], { stdio: 'pipe' });
  t.teardown(() => vm.kill('SIGKILL'));
  await once(vm.stdout, 'data');
  let removed = false;
  const removal = writeFile(at('kernel/debug/mdevfs/hotplug'), 'remove mtty').then(() => {
    removed = true;
  });
  await until('the parent is leaving', () => !existsSync(at('class/mdev_bus/mtty')));
  t.match(readFileSync(at('kernel/debug/mdevfs/hotplug'), 'utf8'), 'mtty leaving\n');
  t.strictSame(mdevfs('unplug', dir, 'mtty'), {
    status: 1,
    stdout: '',
    stderr: `mdevfs: ${dir}: hotplug: mtty: is leaving already; see holders\n`,
  });
  t.equal(mdevfs('unplug', dir, 'mdpy').status, 0, 'another one does not wait for it');
  t.strictSame(parents(), ['mbochs']);
  t.notOk(removed);
  vm.kill('SIGKILL');
  await removal;
  t.equal(mdevfs('unplug', dir).stdout, 'mbochs plugged\nmdpy unplugged\nmtty unplugged\n');
  t.equal(mdevfs('plug', dir, 'mtty').status, 0);
  t.strictSame(parents(), ['mbochs', 'mtty']);
});

t.test('mdevfs plug takes fixtures by name and by file, and says what is wrong', { skip }, async (t) => {
  const { dir, at, parents } = mounted(t, 'samples');
  const says = (args: string[], stderr: string | RegExp, status: number) => {
    const result = mdevfs(...args);
    t.match(result.stderr, stderr);
    t.equal(result.status, status);
  };
  says(['plug', dir, 'nvidia-t4'], '', 0);
  const gpus = parents().filter((name) => name.includes(':'));
  t.ok(gpus.length > 0);
  const [type] = readdirSync(at(`class/mdev_bus/${gpus[0]}/mdev_supported_types`));
  writeFileSync(at(`class/mdev_bus/${gpus[0]}/mdev_supported_types/${type}/create`), UUID);
  says(['unplug', dir, 'nvidia-t4'], '', 0);
  t.strictSame(parents(), ['mbochs', 'mdpy', 'mtty']);
  t.strictSame(readdirSync(at('bus/mdev/devices')), []);
  says(['plug', dir, 'fixtures/s390x.json'], '', 0);
  t.ok(parents().includes('matrix'));
  says(
    ['plug', dir, 'fixtures/none.json'],
    'mdevfs: fixture fixtures/none.json: no such file or directory\n',
    2,
  );
  says(['plug', dir, 'package.json'], /^mdevfs: package\.json: .*unknown key/, 2);
  says(
    ['plug', dir, 'nvidia-t5'],
    `mdevfs: ${dir}: hotplug: nvidia-t5: neither unplugged nor a fixture (did you mean "nvidia-t4"?)\n`,
    1,
  );
  says(
    ['unplug', dir, 'mtti'],
    `mdevfs: ${dir}: hotplug: mtti: is no parent here (did you mean "mtty"?)\n`,
    1,
  );
  says(['unplug', dir, 'mtty'], '', 0);
  says(['unplug', dir, 'mtty'], `mdevfs: ${dir}: hotplug: mtty: is unplugged already\n`, 1);
  says(['plug', '/nowhere', 'mtty'], 'mdevfs: /nowhere: no such file or directory\n', 2);
  says(['plug', dir, 'a b'], 'mdevfs: plug: expected "add NAME", "remove NAME" or JSON, got "add a b"\n', 2);
  const file = join(scratchDir(t), 'card.json');
  t.teardown(() => rmSync(file));
  writeFileSync(file, '{"address": "0000:3b:00.7", "vendr": "10de"}');
  says(['plug', dir, file], `mdevfs: ${file}: vendr: unknown key (did you mean "vendor"?)\n`, 2);
});
