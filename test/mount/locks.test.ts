import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { killDaemon, main, mdevfs, mountpoint, plain, run, statusOf } from './command.js';
import { noMounts, noNamespaces } from './mounted.js';

const skip = noMounts() ?? false;
const OTHER = 1000;
const asOther = ['setpriv', '--reuid', `${OTHER}`, '--regid', `${OTHER}`, '--clear-groups'];

function scratch(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  chmodSync(dir, 0o755);
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A process that goes with the test, once it has said that it is ready. */
async function holder(t: Test, command: readonly string[]): Promise<ChildProcess> {
  const [program, ...args] = command;
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  await Promise.race([once(child.stdout!, 'data'), closed]);
  return child;
}

/** Has the abstract sockets of some locks, as mdevfs once had them. */
function sockets(t: Test, user: readonly string[], names: readonly string[]): Promise<ChildProcess> {
  const script = `
    const [, ...names] = process.argv;
    let left = names.length;
    const net = require('node:net');
    for (const name of names) net.createServer().listen('\\0mdevfs:' + name, () => --left || console.log('ready'));`;
  return holder(t, ['env', ...plain, ...user, process.execPath, '-e', script, '--', ...names]);
}

const otherMount = (file: string) =>
  `mdevfs: ${file}: another mount keeps its state there; give another file\n`;

t.test('another user who has the sockets of old locks holds up nobody', { skip }, async (t) => {
  const [dir, file] = [mountpoint(t), join(scratch(t), 'state')];
  await sockets(t, asOther, [dir, `state:${file}`]);
  t.match(mdevfs('mount', '-f', 'samples', '--state', file, dir), { status: 0, stderr: '' });
});

t.test('an old daemon of root that has the file is noticed', { skip }, async (t) => {
  const [dir, file] = [mountpoint(t), join(scratch(t), 'state')];
  const old = await sockets(t, [], [`state:${file}`]);
  const mount = () => mdevfs('mount', '-f', 'samples', '--state', file, dir);
  t.strictSame(mount(), { status: 1, stdout: '', stderr: otherMount(file) });
  old.kill('SIGKILL');
  await once(old, 'close');
  t.equal(mount().status, 0);
});

t.test(
  'a file has one daemon, also of other network namespaces and by other names',
  { skip: skip || (noNamespaces() ?? false) },
  async (t) => {
    const [dir, other, at] = [mountpoint(t), mountpoint(t), scratch(t)];
    const file = join(at, 'state');
    t.equal(mdevfs('mount', '-f', 'samples', '--state', file, dir).status, 0);
    symlinkSync('.', join(at, 'here'));
    const command = [process.execPath, main, 'mount', '-f', 'samples', '--state'];
    for (const [program, ...words] of [
      ['unshare', '-n', ...command, file, other],
      ['env', ...command, join(at, 'here/state'), other],
    ])
      t.strictSame(run(program!, words), { status: 1, stdout: '', stderr: otherMount(file) });
    t.equal(statSync(`${file}.lock`).mode & 0o777, 0o600, 'nobody else can lock it');
    await killDaemon(dir);
    t.equal(mdevfs('mount', '-f', 'samples', '--state', file, other).status, 0, 'it is free again');
    t.equal(mdevfs('umount', other).status, 0);
    t.ok(existsSync(`${file}.lock`));
  },
);

t.test('what another user made in place of the lock is named', { skip }, async (t) => {
  const [dir, at] = [mountpoint(t), scratch(t)];
  const file = join(at, 'state');
  const lock = `${file}.lock`;
  chmodSync(at, 0o1777);
  const refused = (reason: string) =>
    t.strictSame(mdevfs('mount', '-f', 'samples', '--state', file, dir), {
      status: 1,
      stdout: '',
      stderr: `mdevfs: ${lock}: ${reason}; remove it\n`,
    });
  writeFileSync(lock, '');
  chownSync(lock, OTHER, OTHER);
  refused(`belongs to uid ${OTHER}`);
  rmSync(lock);
  writeFileSync(join(at, 'precious'), '', { mode: 0o644 });
  symlinkSync('precious', lock);
  refused('a link, not a file');
  rmSync(lock);
  linkSync(join(at, 'precious'), lock);
  refused('a file with a second name');
  t.equal(statSync(join(at, 'precious')).mode & 0o777, 0o644);
  rmSync(lock);
  mkdirSync(lock);
  refused('a directory, not a file');
  rmSync(lock, { recursive: true });
  t.equal(spawnSync('mkfifo', [lock]).status, 0);
  refused('a pipe, not a file; save what comes out of it as one');
  rmSync(lock);
  // Whoever made it for everybody to read, it is for nobody else now.
  writeFileSync(lock, '', { mode: 0o666 });
  t.equal(mdevfs('mount', '-f', 'samples', '--state', file, dir).status, 0);
  t.equal(statSync(lock).mode & 0o777, 0o600);
  t.equal(statusOf(dir)?.state, 'served');
});
