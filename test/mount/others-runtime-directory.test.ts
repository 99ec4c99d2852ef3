import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { main, mountpoint, mdevfs, plain, statusOf } from './command.js';
import { noMounts } from './mounted.js';

const [USER, OTHER] = [1001, 1000];
const skip = noMounts() ?? unreadable() ?? false;

function as(uid: number, ...command: string[]) {
  const user = ['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const { status, stdout, stderr } = spawnSync('env', [...plain, ...user, ...command], {
    encoding: 'utf8',
    cwd: '/',
  });
  return { status, stdout, stderr };
}

function unreadable(): string | undefined {
  const look = `[ -r ${main} ] && [ -x ${dirname(process.execPath)} ]`;
  return as(USER, 'sh', '-c', look).status === 0 ? undefined : 'another user cannot read this directory';
}

function scratch(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  chmodSync(dir, 0o1777);
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const wayOut = 'set XDG_RUNTIME_DIR to a directory that you alone may write';

t.test(
  'a user takes no word from what another made in place of their runtime directory',
  { skip },
  async (t) => {
    const dir = scratch(t);
    const [base, home] = [join(dir, `mdevfs-${USER}`), join(dir, 'home')];
    mkdirSync(home);
    chownSync(home, USER, USER);
    const user = (env: string, ...args: string[]) =>
      as(USER, 'env', '-u', 'XDG_RUNTIME_DIR', env, process.execPath, main, ...args);
    const refused = (env: string, fault: string) => {
      for (const args of [['status'], ['mount', '--transport', 'fuse-native', home]])
        t.strictSame(user(env, ...args), { status: 1, stdout: '', stderr: `mdevfs: ${fault}; ${wayOut}\n` });
    };
    const byOther = `belongs to uid ${OTHER}`;
    t.equal(as(OTHER, 'sh', '-c', `umask 0; mkdir -p ${base}/mdevfs`).status, 0);
    const record = { dir: home, pid: process.pid, started: 1, fixture: 'f', transport: 'fuse' };
    writeFileSync(join(base, 'mdevfs/a.json'), JSON.stringify(record));
    const victim = join(home, 'victim');
    writeFileSync(victim, 'precious');
    symlinkSync(victim, join(base, 'mdevfs', `${encodeURIComponent(home)}.log`));
    refused(`TMPDIR=${dir}`, `${base}: ${byOther}, who could put something else there`);
    refused(`XDG_RUNTIME_DIR=${base}`, `${base}: ${byOther}, who could put something else there`);
    rmSync(base, { recursive: true });
    t.equal(as(OTHER, 'ln', '-s', home, base).status, 0);
    refused(`TMPDIR=${dir}`, `${base}: a link of uid ${OTHER}`);
    rmSync(base);
    mkdirSync(base);
    chownSync(base, USER, USER);
    mkdirSync(join(base, 'mdevfs'));
    chownSync(join(base, 'mdevfs'), USER, USER);
    chmodSync(join(base, 'mdevfs'), 0o777);
    t.equal(readFileSync(victim, 'utf8'), 'precious');
    t.match(user(`TMPDIR=${dir}`, 'status'), { status: 0, stderr: '' });
    t.equal(statSync(join(base, 'mdevfs')).mode & 0o777, 0o755, 'it is for nobody else now');
  },
);

t.test('who only looks makes no runtime directory', { skip }, async (t) => {
  const dir = scratch(t);
  const { status, stderr } = as(
    USER,
    'env',
    '-u',
    'XDG_RUNTIME_DIR',
    `TMPDIR=${dir}`,
    process.execPath,
    main,
    'status',
  );
  t.strictSame([status, stderr], [0, '']);
  t.notOk(existsSync(join(dir, `mdevfs-${USER}`)));
});

t.test('what is no record is left out, and a log is written through no link', { skip }, async (t) => {
  const [dir, at] = [mountpoint(t), scratch(t)];
  const recordOf = (name: string) => `/run/mdevfs/${encodeURIComponent(join(at, name))}.json`;
  const victim = join(at, 'victim');
  writeFileSync(victim, 'precious');
  const log = `/run/mdevfs/${encodeURIComponent(dir)}.log`;
  t.teardown(() => {
    for (const name of ['null', 'number', 'pipe', 'link', 'theirs']) rmSync(recordOf(name), { force: true });
    rmSync(log, { force: true });
  });
  mkdirSync('/run/mdevfs', { recursive: true });
  writeFileSync(recordOf('null'), 'null');
  writeFileSync(recordOf('number'), '{"dir":7}');
  t.equal(spawnSync('mkfifo', [recordOf('pipe')]).status, 0);
  symlinkSync('/dev/zero', recordOf('link'));
  const record = { dir: join(at, 'x'), pid: process.pid, started: 1, fixture: 'f', transport: 'fuse' };
  writeFileSync(recordOf('theirs'), JSON.stringify(record));
  chownSync(recordOf('theirs'), OTHER, OTHER);
  symlinkSync(victim, log);
  t.notMatch(mdevfs('status').stdout, at);
  t.strictSame(mdevfs('mount', '-f', 'samples', dir), {
    status: 1,
    stdout: '',
    stderr: `mdevfs: ${log}: a link, not a file; remove it\n`,
  });
  t.equal(readFileSync(victim, 'utf8'), 'precious');
  rmSync(log);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  t.equal(statusOf(dir)?.state, 'served');
});
