import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mountAt } from '../../src/host/mountinfo.js';
import { killDaemon, main, mdevfs, mountpoint, plain, run, samples, statusOf } from './command.js';
import { noFuseNative, noMounts, processState, scratchDir, until } from './mounted.js';

const skip = noMounts() ?? false;
const available = 'class/mdev_bus/mtty/mdev_supported_types/mtty-1/available_instances';

t.test('mount comes back when the tree answers, status tells of it, umount ends it', { skip }, async (t) => {
  const dir = mountpoint(t);
  rmdirSync(dir);
  const { status, stdout, stderr } = mdevfs('mount', '-f', 'samples', dir);
  t.equal(stderr, '');
  t.equal(status, 0);
  t.match(stdout, new RegExp(`^${dir}: mounted \\(daemon \\d+, log .*\\.log\\)\n$`));
  t.ok(existsSync(join(dir, available)));
  const { pid, log, ...rest } = statusOf(dir)!;
  t.match(rest, { dir, state: 'served', fixture: samples, transport: 'fuse', since: /^\d{4}-\d\d-\d\dT/ });
  t.match(mdevfs('status').stdout, `${dir}: served, samples, over fuse, passthrough, daemon ${pid}\n`);
  t.equal(mdevfs('status', dir).status, 0);
  t.same(mdevfs('umount', dir), { status: 0, stdout: '', stderr: '' });
  t.equal(mountAt(dir), undefined);
  t.equal(processState(pid), undefined, 'the daemon is gone');
  t.equal(existsSync(log), false, 'and its log, since nothing was in it');
  t.same(mdevfs('status', dir), {
    status: 1,
    stdout: '',
    stderr: `mdevfs: ${dir}: not mounted; mdevfs mount ${dir}\n`,
  });
  t.same(mdevfs('umount', dir), {
    status: 1,
    stdout: '',
    stderr: `mdevfs: ${dir}: not mounted; see mdevfs status\n`,
  });
});

t.test('a second mount finds the first, and refuses to be another', { skip }, async (t) => {
  const dir = mountpoint(t);
  const other = join(scratchDir(t), 'other.json');
  t.teardown(() => rmSync(other));
  spawnSync('cp', [samples, other]);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  const { pid } = statusOf(dir)!;
  const already = { status: 0, stdout: `${dir}: already mounted\n`, stderr: '' };
  t.same(mdevfs('mount', '-f', 'samples', dir), already);
  t.same(mdevfs('mount', '-f', samples, `${dir}/.`), already);
  const refused = `mdevfs: ${dir}: already shows ${samples} over fuse; mdevfs umount ${dir} first\n`;
  t.same(mdevfs('mount', '-f', other, dir), { status: 1, stdout: '', stderr: refused });
  t.equal(mdevfs('mount', '-f', samples, '--transport', 'fuse-native', dir).stderr, refused);
  const passes = refused.replace('over fuse', 'over fuse with passthrough');
  t.equal(mdevfs('mount', '-f', samples, '--no-passthrough', dir).stderr, passes);
  t.equal(statusOf(dir)!.pid, pid);
});

t.test('of several mounts at once one mounts, the others find it', { skip }, async (t) => {
  const dir = mountpoint(t);
  const outputs = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const child = spawn('env', [...plain, process.execPath, main, 'mount', '-f', 'samples', dir]);
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (text: Buffer) => {
          output += text.toString();
        });
      await once(child, 'close');
      return output;
    }),
  );
  const already = `${dir}: already mounted\n`;
  t.equal(outputs.filter((output) => output === already).length, 2, outputs.join());
  t.match(outputs.filter((output) => output !== already).join(), `${dir}: mounted (daemon`);
  t.equal(mdevfs('umount', dir).status, 0);
  t.equal(mountAt(dir), undefined, 'nothing below it');
});

t.test('a directory that is taken is refused in one line', { skip }, async (t) => {
  const dir = scratchDir(t);
  const refused = (path: string, message: string) =>
    t.same(mdevfs('mount', '-f', 'samples', path), {
      status: 1,
      stdout: '',
      stderr: `mdevfs: ${path}: ${message}\n`,
    });
  mkdirSync(join(dir, 'inside'));
  t.teardown(() => rmdirSync(join(dir, 'inside')));
  refused(dir, 'not empty (inside, ...); choose an empty directory');
  refused(samples, 'not a directory; choose an empty directory');
  refused('/proc', 'proc is mounted there; choose another directory');
  t.same(mdevfs('umount', '/proc'), {
    status: 1,
    stdout: '',
    stderr: 'mdevfs: /proc: what is mounted there is proc, not mdevfs; umount /proc\n',
  });
  t.same(readdirSync(dir), ['inside']);
});

t.test('wrong use is exit code 2', async (t) => {
  for (const args of [
    [],
    ['mount'],
    ['umount'],
    ['nonsense'],
    ['mount', '--transport', 'pigeon', '/x'],
    ['mount', '/x', '/y'],
  ]) {
    const { status, stdout, stderr } = mdevfs(...args);
    t.equal(status, 2, args.join(' '));
    t.equal(stdout, '');
    t.not(stderr, '');
  }
  t.equal(mdevfs('--help').status, 0);
  t.match(mdevfs('--version'), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
});

t.test('a fixture that is none is exit code 2 and a line for each fault', { skip }, async (t) => {
  const dir = mountpoint(t);
  const file = join(scratchDir(t), 'fixture.json');
  t.teardown(() => rmSync(file));
  t.match(mdevfs('mount', '-f', 'nonesuch', dir), {
    status: 2,
    stdout: '',
    stderr:
      'mdevfs: fixture nonesuch: there is none of that name; mdevfs fixtures lists them, or give a file\n',
  });
  t.same(mdevfs('mount', '-f', `${file}.not`, dir), {
    status: 2,
    stdout: '',
    stderr: `mdevfs: fixture ${file}.not: no such file\n`,
  });
  for (const text of ['{', '{"nonsense": 1, "more": 2}']) {
    writeFileSync(file, text);
    for (const mode of [[], ['--foreground']]) {
      const { status, stdout, stderr } = mdevfs('mount', ...mode, '-f', file, dir);
      t.equal(status, 2, text);
      t.equal(stdout, '');
      t.ok(stderr.endsWith('\n'));
      for (const line of stderr.trimEnd().split('\n')) t.ok(line.startsWith('mdevfs: '), line);
      t.notMatch(stderr, / {4}at /, 'no stack');
      t.match(stderr, 'fixture.json');
    }
    t.equal(mountAt(dir), undefined);
  }
});

t.test('a tree in use is not unmounted, unless lazily', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  const user = spawn('sleep', ['1000'], { cwd: join(dir, 'bus') });
  t.teardown(() => void user.kill('SIGKILL'));
  t.same(mdevfs('umount', dir), {
    status: 1,
    stdout: '',
    stderr: `mdevfs: ${dir}: in use by sleep (pid ${user.pid}); end that first, or mdevfs umount --lazy ${dir}\n`,
  });
  t.equal(statusOf(dir)?.state, 'served');
  t.same(mdevfs('umount', '--lazy', dir), { status: 0, stdout: '', stderr: '' });
  t.equal(mountAt(dir), undefined);
  t.equal(statusOf(dir), undefined);
});

t.test('umount works from inside a shell that leaves with it', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  t.same(
    run('bash', ['--norc', '-c', 'exec "$0" "$1" umount "$2"', process.execPath, main, dir], { cwd: dir }),
    {
      status: 0,
      stdout: '',
      stderr: '',
    },
  );
});

t.test('what a killed daemon left is told, cleared, and mounted again', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  await killDaemon(dir);
  await until('the mount is dead', () => statusOf(dir)?.state === 'stale');
  t.equal(statusOf(dir)?.state, 'stale');
  t.equal(mdevfs('status', dir).status, 1);
  const { status, stdout, stderr } = mdevfs('mount', '-f', 'samples', dir);
  t.equal(status, 0);
  t.equal(stderr, `mdevfs: ${dir}: cleared the mount of a dead daemon\n`);
  t.match(stdout, `${dir}: mounted`);
  t.ok(existsSync(join(dir, available)));
  await killDaemon(dir);
  t.same(mdevfs('umount', dir), { status: 0, stdout: '', stderr: '' });
  t.equal(mountAt(dir), undefined);
  t.equal(statusOf(dir), undefined);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  t.test(`${signal} unmounts a mount in the foreground`, { skip }, async (t) => {
    const dir = mountpoint(t);
    const child = spawn('env', [
      ...plain,
      process.execPath,
      main,
      'mount',
      '--foreground',
      '-f',
      'samples',
      dir,
    ]);
    t.teardown(() => void child.kill('SIGKILL'));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    t.equal(line.toString(), `${dir}\n`);
    t.equal(statusOf(dir)?.pid, child.pid);
    t.ok(existsSync(join(dir, available)));
    child.kill(signal);
    t.same(await once(child, 'close'), [0, null]);
    t.equal(mountAt(dir), undefined);
    t.equal(statusOf(dir), undefined);
  });
}

t.test('a daemon ends by itself when somebody else unmounts', { skip }, async (t) => {
  const dir = mountpoint(t);
  mdevfs('mount', '-f', 'samples', dir);
  const { pid } = statusOf(dir)!;
  t.equal(spawnSync('umount', [dir]).status, 0);
  await until('the daemon is gone', () => !processState(pid));
  t.equal(statusOf(dir), undefined);
});

t.test('the other transport', { skip: (await noFuseNative()) ?? false }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', '--transport', 'fuse-native', dir).status, 0);
  t.ok(existsSync(join(dir, available)));
  t.match(mdevfs('status').stdout, `${dir}: served, samples, over fuse-native, daemon`);
  t.same(mdevfs('umount', dir), { status: 0, stdout: '', stderr: '' });
  t.equal(mountAt(dir), undefined);
});

t.test('a fixture that names a module nobody has is a faulty fixture', { skip }, async (t) => {
  const fixture = join(scratchDir(t), 'host.json');
  t.teardown(() => rmSync(fixture));
  writeFileSync(fixture, '{ "name": "host", "modules": ["mttyy"] }');
  const { status, stderr } = mdevfs('mount', '-f', fixture, mountpoint(t));
  t.equal(status, 2);
  t.equal(
    stderr,
    `mdevfs: ${fixture}: modules[0]: expected a module that exists, got "mttyy" (did you mean "mtty"?)\n`,
  );
});
