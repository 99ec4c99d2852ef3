import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { killDaemon, main, mdevfs, mountpoint, plain } from './command.js';
import { noMounts } from './mounted.js';

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const skip = noMounts() ?? false;

function attach(...args: string[]) {
  const child = spawn('env', [...plain, process.execPath, main, 'attach', ...args], { stdio: 'pipe' });
  return {
    child,
    ready: once(child.stdout, 'data').then(([text]) => String(text)),
    ended: once(child, 'exit'),
  };
}

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  t.test(`mdevfs attach holds a device until ${signal}`, { skip }, async (t) => {
    const dir = mountpoint(t);
    t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
    writeFileSync(join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-2/create'), UUID);
    const { child, ready, ended } = attach(UUID, '--vm', 'demo', '--memory', '8M', '--at', dir);
    t.teardown(() => child.kill('SIGKILL'));
    t.equal(await ready, `${UUID}: attached in ${dir}; Ctrl-C lets it go\n`);
    t.equal(
      readFileSync(join(dir, 'kernel/debug/mdevfs/attach'), 'latin1'),
      `${UUID} vm=demo memory=8388608\n`,
    );
    let removed = false;
    const removal = writeFile(join(dir, `bus/mdev/devices/${UUID}/remove`), '1').then(() => {
      removed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    t.notOk(removed, 'removal waits');
    t.notOk(existsSync(join(dir, 'bus/mdev/devices', UUID)));
    child.kill(signal);
    await removal;
    const [status] = await ended;
    t.equal(status, signal === 'SIGINT' ? 0 : null);
  });
}

t.test('mdevfs attach ends when the tree is no longer served', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  writeFileSync(join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-2/create'), UUID);
  const { child, ready, ended } = attach(UUID, '--at', dir);
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  await ready;
  await killDaemon(dir);
  t.same(await ended, [1, null]);
  t.equal(said, `mdevfs: ${dir}: no longer served, so ${UUID} is no longer attached\n`);
});

t.test('mdevfs attach says what is wrong', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  const refused = (args: string[], stderr: string | RegExp, status = 1) => {
    const result = mdevfs('attach', ...args);
    t.equal(result.status, status);
    t.match(result.stderr, stderr);
  };
  // Other tests have mounts with the usual one meanwhile.
  const nobodys = 'c3a1fbf0-57f5-4d68-a65f-2f7d3d3c2f01';
  refused([nobodys], `mdevfs: ${nobodys}: no mounted tree has this device; see mdevfs status\n`);
  refused([UUID, '--at', dir], `mdevfs: ${UUID}: ENODEV: there is no such device; see bus/mdev/devices\n`);
  refused([UUID, '--at', '/nowhere'], 'mdevfs: /nowhere: no such file or directory\n', 2);
  refused([], /missing required argument/, 2);
  writeFileSync(join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-2/create'), UUID);
  refused([UUID, '--memory', 'much'], /attach: memory: expected a multiple of 4K/, 2);
  refused([UUID, '--memory', '64Q', '--at', dir], 'up to 1G, such as 64M, got "64Q"\n', 2);
  refused(
    [UUID, '--vm', 'a b', '--at', dir],
    'mdevfs: --vm: expected a name without blanks and "=", got "a b"\n',
    2,
  );
  refused(['notauuid'], /^mdevfs: <uuid>: expected a UUID, such as \S+, got "notauuid"\n$/, 2);
});
