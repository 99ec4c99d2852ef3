import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { mountAt } from '../../src/host/mountinfo.js';
import { killDaemon, mountpoint, mountSh, run, statusOf } from './command.js';
import { noMounts } from './mounted.js';

const skip = noMounts() ?? false;
const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';

const sh = (...args: string[]) => run(mountSh, args);
/** Without what it says while it builds. */
const said = (stderr: string) => stderr.replace(/^building \.\.\.\n/, '');

t.test('mount.sh mounts, says what to try, and that works', { skip }, async (t) => {
  const dir = mountpoint(t);
  const { status, stdout, stderr } = sh('-f', 'samples', dir);
  t.equal(said(stderr), '');
  t.equal(status, 0);
  t.match(stdout, new RegExp(`^${dir}: mounted`));
  const tries = stdout.split('\n').filter((line) => line.startsWith('  ') && !line.includes('-u'));
  t.equal(tries.length, 5);
  const script = tries.map((line) => line.trim());
  const type = script[0]!.replace('cd ', '');
  const before = Number(run('cat', [`${type}/available_instances`]).stdout);
  script.splice(4, 0, 'cat available_instances');
  const tried = run('bash', ['--norc', '-ec', script.join('\n')]);
  t.equal(tried.stderr, '');
  t.equal(tried.status, 0);
  t.match(tried.stdout, new RegExp(`^${before}\n`));
  t.match(tried.stdout, new RegExp(`\n${before - 1}\n$`));
  t.match(tried.stdout, new RegExp(`devices:\n.*\n.* ${uuid} -> ../../../${uuid}\n`));
  t.equal(run('cat', [`${type}/available_instances`]).stdout, `${before}\n`);
  t.equal(run('ls', [`${dir}/bus/mdev/devices`]).stdout, '');
});

t.test('a second run finds it, -u takes it away', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(sh('-f', 'samples', dir).status, 0);
  const { pid } = statusOf(dir)!;
  t.match(sh('-f', 'samples', dir), { status: 0, stdout: `${dir}: already mounted\n` });
  t.match(sh(dir), { status: /0|2/ });
  t.equal(statusOf(dir)!.pid, pid);
  t.same(sh('-u', dir), { status: 0, stdout: '', stderr: '' });
  t.equal(mountAt(dir), undefined);
  t.same(sh('-u', dir), {
    status: 1,
    stdout: '',
    stderr: `mdevfs: ${dir}: not mounted; see mdevfs status\n`,
  });
});

t.test('what a killed daemon left is repaired', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(sh('-f', 'samples', dir).status, 0);
  await killDaemon(dir);
  const { status, stdout, stderr } = sh('-f', 'samples', dir);
  t.equal(said(stderr), `mdevfs: ${dir}: cleared the mount of a dead daemon\n`);
  t.equal(status, 0);
  t.match(stdout, `${dir}: mounted`);
  t.ok(statSync(join(dir, 'bus')).isDirectory());
  await killDaemon(dir);
  t.same(sh('-u', dir), { status: 0, stdout: '', stderr: '' });
});

t.test('wrong use is exit code 2, help is 0', async (t) => {
  t.match(sh('-x'), { status: 2, stdout: '', stderr: 'usage:' });
  t.match(sh('-f'), { status: 2, stdout: '', stderr: 'usage:' });
  t.match(sh('/a', '/b'), { status: 2, stdout: '', stderr: 'one DIR at most' });
  t.match(sh('-h'), { status: 0, stdout: 'default: /run/mdevfs/tree', stderr: '' });
});

/** A directory with the commands mount.sh needs, node as given. */
function commands(t: Test, node: string | undefined): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-path-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const name of ['dirname', 'id', 'cat', 'find', 'head', 'mktemp', 'mkdir', 'rm', 'mv'])
    symlinkSync(run('sh', ['-c', `command -v ${name}`]).stdout.trim(), join(dir, name));
  if (node) writeFileSync(join(dir, 'node'), `#!/bin/sh\n${node}\n`, { mode: 0o755 });
  return dir;
}

t.test('what is missing is named in one line', { skip }, async (t) => {
  const dir = mountpoint(t);
  const refused = (path: string, message: RegExp) => {
    const command = [`PATH=${path}`, '/bin/sh', mountSh, '-f', 'samples', dir];
    const { status, stdout, stderr } = run('env', command);
    t.equal(status, 1);
    t.equal(stdout, '');
    t.match(stderr, message);
    t.equal(stderr.trimEnd().split('\n').length, 1);
  };
  refused(commands(t, undefined), /^mount\.sh: node is not in PATH; install Node\.js 20/);
  refused(commands(t, 'echo v18.19.0'), /^mount\.sh: node is v18\.19\.0; install Node\.js 20/);
  t.equal(mountAt(dir), undefined);
});

t.test('who is not root is told so', { skip }, async (t) => {
  const user = { uid: 1000, gid: 1000, cwd: '/' };
  if (run('/bin/sh', ['-c', `[ -r ${mountSh} ] && [ -x ${dirname(mountSh)} ]`], user).status !== 0) {
    t.pass('', { skip: 'another user cannot read this directory' });
    return;
  }
  t.same(run('/bin/sh', [mountSh, '/tmp/x'], user), {
    status: 1,
    stdout: '',
    stderr: `mount.sh: mounting needs root; run: sudo ${mountSh} /tmp/x\n`,
  });
});

t.test('a machine without /dev/fuse is told so', { skip }, async (t) => {
  const dir = mountpoint(t);
  const script = 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$0" -f samples "$1"';
  const { status, stdout, stderr } = run('unshare', ['-m', 'sh', '-c', script, mountSh, dir]);
  t.equal(status, 1);
  t.equal(stdout, '');
  t.match(said(stderr), /^mdevfs: \/dev\/fuse is not there or not usable; modprobe fuse, or .*\n$/);
  t.equal(mountAt(dir), undefined);
});
