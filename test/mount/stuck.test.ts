import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { lifelineScript } from '../../src/host/aborter-script.js';
import { killDaemon, main, mdevfs, mountpoint, plain, run, statusOf } from './command.js';
import { MountedSample, noMounts, noNamespaces, scratchDir, until } from './mounted.js';

const skip = noMounts() ?? false;
const clientsFile = fileURLToPath(new URL('./stuck-clients.js', import.meta.url));

/** Numbers of the processes that watch over a process, by the names that they are given. */
function watchers(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0');
        const parent = /^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'latin1'))?.[1];
        const isAborter = words.includes('mdevfs-aborter') && words.includes(String(pid));
        return isAborter || (words[0] === 'cat' && parent === String(pid));
      } catch {
        return false;
      }
    })
    .map(Number);
}

function workDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** Each of them waits for an answer of a daemon that is killed. */
function assertFreed(t: Test, { status, stdout, stderr }: ReturnType<typeof run>): void {
  t.equal(status, 0, stderr);
  const said = JSON.parse(stdout || '[]') as string[];
  t.equal(said.length, 3);
  for (const each of said)
    t.match(each, /^(Transport endpoint is not connected|Software caused connection abort)$/);
}

for (const [name, prefix, suffix] of [
  ['a mount', [], []],
  ['a mount in a user namespace', ['unshare', '-Ur', '-m', '--propagation', 'private'], []],
  ['a run', [], ['run']],
] as [string, string[], string[]][]) {
  t.test(`clients of ${name} are freed when its daemon is killed and cannot end`, { skip }, (t) => {
    const words = [...prefix, process.execPath, clientsFile, scratchDir(t), workDir(t), ...suffix];
    assertFreed(t, run(words[0]!, words.slice(1)));
    t.end();
  });
}

// What /bin/sh is elsewhere.
t.test('under another shell', { skip }, (t) => {
  const bind = 'mount -n --bind "$(command -v bash)" "$(readlink -f /bin/sh)" && exec "$@"';
  const words = ['-m', '--propagation', 'private', 'bash', '-c', bind, 'bash'];
  assertFreed(t, run('unshare', [...words, process.execPath, clientsFile, scratchDir(t), workDir(t)]));
  t.end();
});

t.test('nobody is left when the daemon ends, however it does', { skip }, async (t) => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const mounted = await MountedSample.start(t);
    const { pid } = mounted.daemon;
    t.equal(watchers(pid!).length, 2, `before ${signal}`);
    mounted.daemon.kill(signal);
    await mounted.ended;
    await until(`nobody is left after ${signal}`, () => watchers(pid!).length === 0);
  }
});

t.test(
  'one for all mounts of a daemon, that keeps none of them busy, and has no file of them',
  { skip },
  async (t) => {
    const [dir, dev] = [mountpoint(t), scratchDir(t)];
    t.equal(mdevfs('mount', '-f', 'samples', '--dev', dev, dir).status, 0);
    const { pid } = statusOf(dir)!;
    const all = watchers(pid);
    t.equal(all.length, 2);
    for (const each of all) {
      const files = spawnSync('ls', ['-l', `/proc/${each}/fd`], { encoding: 'latin1' }).stdout;
      t.notMatch(files, /\/dev\/fuse|mdevfs-test/);
      const mounts = (pid: number) =>
        spawnSync('readlink', [`/proc/${pid}/ns/mnt`], { encoding: 'latin1' }).stdout;
      t.equal(mounts(each), mounts(process.pid), 'no copy of the mounts');
    }
    t.equal(run('umount', [dir]).status, 0, 'a plain umount');
    await until('nobody is left', () => watchers(pid).length === 0);
  },
);

/** The code of the error that a call fails with. */
function errnoOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

t.test('who ends them sees others come', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  const { pid } = statusOf(dir)!;
  for (const which of [0, 1]) {
    const before = watchers(pid);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      for (const each of before) process.kill(each, signal);
    t.same(watchers(pid), before, 'signals of a terminal are not for them');
    process.kill(before[which]!, 'SIGKILL');
    await until('there are others', () => {
      const after = watchers(pid);
      return after.length === 2 && !after.some((each) => before.includes(each));
    });
    t.equal(mdevfs('tree', dir).status, 0, 'nothing was aborted');
  }
  await killDaemon(dir);
  await until('nobody is left', () => watchers(pid).length === 0);
  // What the kernel remembers of a dead mount it would give out for an hour.
  const stat = () => statSync(join(dir, 'class/mdev_bus'));
  await until('names are forgotten', () => errnoOf(stat) === 'ENOTCONN');
});

t.test('a lifeline whose starter has died before ends by itself', { skip }, async (t) => {
  // Its parent is this process, not the one that it is told.
  const child = spawn('sh', ['-c', lifelineScript, 'mdevfs-lifeline', '1'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.same(await once(child, 'exit'), [1, null]);
});

t.test('nobody is left of a run', { skip: skip || (noNamespaces() ?? false) }, async (t) => {
  for (const kill of [false, true]) {
    const words = [main, 'run', '--', 'sh', '-c', 'echo up; read -r x'];
    const child = spawn('env', [...plain, process.execPath, ...words], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    await once(child.stdout, 'data');
    t.equal(watchers(child.pid!).length, 1);
    if (kill) child.kill('SIGKILL');
    else child.stdin.end('\n');
    await ended;
    const what = kill ? 'after SIGKILL' : 'at its end';
    await until(`nobody is left ${what}`, () => watchers(child.pid!).length === 0);
  }
});

t.test('without setpriv(1) there is a line in the log', { skip }, async (t) => {
  const [dir, work] = [scratchDir(t), workDir(t)];
  writeFileSync(join(work, 'setpriv'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const script = `mount -n --bind ${work}/setpriv "$(command -v setpriv)" && exec "$@"`;
  const daemonFile = fileURLToPath(new URL('./daemon.js', import.meta.url));
  const words = [
    '-m',
    '--propagation',
    'unchanged',
    'sh',
    '-c',
    script,
    'sh',
    process.execPath,
    daemonFile,
    dir,
  ];
  const daemon = spawn('env', [...plain, 'unshare', ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
  t.teardown(() => void daemon.kill('SIGKILL'));
  let [output, log] = ['', ''];
  daemon.stdout.on('data', (text: Buffer) => (output += text.toString()));
  daemon.stderr.on('data', (text: Buffer) => (log += text.toString()));
  await until('it serves', () => output.includes('ready\n'));
  t.match(log, /^mdevfs: setpriv --pdeathsig of util-linux does not work here: .*\n$/);
  daemon.kill('SIGTERM');
  await until('it ends', () => output.includes('unmounted\n'));
});
