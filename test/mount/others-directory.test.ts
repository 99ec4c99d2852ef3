import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mountAt, mounts } from '../../src/host/mountinfo.js';
import { main, mdevfs, mountSh, plain, type Result, run, statusOf } from './command.js';
import { noMounts, processState, until } from './mounted.js';

const skip = noMounts() ?? false;
const OTHER = 1000;

interface Scene {
  /** Sticky, as /tmp. */
  dir: string;
  /** A directory of root's, and what is in it. */
  precious: string;
  at(...names: string[]): string;
}

/** What is mounted in it goes with the test, and so do the daemons. */
function scene(t: Test): Scene {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  chmodSync(dir, 0o1777);
  t.teardown(async () => {
    for (const { dir: mounted } of mounts().reverse()) {
      if (!mounted.startsWith(`${dir}/`)) continue;
      const left = statusOf(mounted);
      spawnSync('umount', ['-l', mounted]);
      if (left?.pid) await until('the daemon is gone', () => !processState(left.pid));
    }
    rmSync(dir, { recursive: true, force: true });
    // What a daemon that did not come up had to say.
    const logs = readdirSync('/run/mdevfs').filter((name) => name.startsWith(encodeURIComponent(`${dir}/`)));
    for (const name of logs) rmSync(join('/run/mdevfs', name));
  });
  const at = (...names: string[]) => join(dir, ...names);
  mkdirSync(at('precious'));
  mkdirSync(at('precious/empty'));
  return { dir, precious: at('precious'), at };
}

function makeDir(dir: string, uid: number, mode = 0o755, gid = uid): string {
  mkdirSync(dir);
  chownSync(dir, uid, gid);
  chmodSync(dir, mode);
  return dir;
}

const wayOut = 'choose a directory that nobody else can replace, such as /run/mdevfs/tree';
const owned = `belongs to uid ${OTHER}, who could put something else there`;

const refused = (t: Test, result: Result, fault: string) =>
  t.strictSame(result, { status: 1, stdout: '', stderr: `mdevfs: ${fault}\n` });

t.test('a directory that another user owns or can replace is refused', { skip }, async (t) => {
  const { at, dir } = scene(t);
  const faults: [string, string, string][] = [];
  makeDir(at('alone'), OTHER);
  faults.push([at('alone'), at('alone'), owned]);
  makeDir(at('theirs'), OTHER);
  makeDir(at('theirs/mine'), 0);
  faults.push([at('theirs/mine'), at('theirs'), owned]);
  faults.push([at('theirs/new/deep'), at('theirs'), owned]);
  makeDir(at('open'), 0, 0o777);
  makeDir(at('open/mine'), 0);
  const everybody = 'everybody may write there, and could put something else there';
  faults.push([at('open/mine'), at('open'), everybody]);
  faults.push([at('open/new'), at('open'), everybody]);
  makeDir(at('shared'), 0, 0o775, OTHER);
  makeDir(at('shared/mine'), 0);
  faults.push([
    at('shared/mine'),
    at('shared'),
    `group ${OTHER} may write there, and could put something else there`,
  ]);
  const safe = makeDir(at('safe'), 0);
  for (const [path, where, why] of faults) {
    const fault = `${where}: ${why}; ${wayOut}`;
    refused(t, mdevfs('mount', '-f', 'samples', path), fault);
    refused(t, mdevfs('mount', '-f', 'samples', '--dev', path, safe), fault);
  }
  const foreground = mdevfs('mount', '--foreground', '-f', 'samples', at('alone'));
  refused(t, foreground, `${at('alone')}: ${owned}; ${wayOut}`);
  refused(t, run(mountSh, ['-f', 'samples', at('alone')]), `${at('alone')}: ${owned}; ${wayOut}`);
  for (const path of ['theirs/new', 'open/new']) t.notOk(existsSync(at(path)), 'nothing is made');
  t.strictSame(
    mounts().filter((mount) => mount.dir.startsWith(dir)),
    [],
  );
});

t.test('no link of another user is followed, one of root is', { skip }, async (t) => {
  const { at, precious } = scene(t);
  const link = (name: string, target: string, uid: number) => {
    symlinkSync(target, at(name));
    spawnSync('chown', ['-h', String(uid), at(name)]);
  };
  link('final', 'precious/empty', OTHER);
  link('folder', 'precious', OTHER);
  link('mine', 'precious', 0);
  for (const [path, where] of [
    ['final', 'final'],
    ['folder/empty', 'folder'],
    ['folder/new', 'folder'],
  ] as const) {
    const fault = `${at(where)}: a link of uid ${OTHER}; give the directory itself`;
    refused(t, mdevfs('mount', '-f', 'samples', at(path)), fault);
    refused(t, mdevfs('mount', '-f', 'samples', '--dev', at(path), at('dir')), fault);
    refused(t, mdevfs('umount', at(path)), fault);
  }
  t.strictSame(readdirSync(precious), ['empty']);
  t.equal(mdevfs('mount', '-f', 'samples', at('mine/empty')).status, 0);
  t.equal(statusOf(join(precious, 'empty'))?.state, 'served');
  refused(
    t,
    mdevfs('umount', at('final')),
    `${at('final')}: a link of uid ${OTHER}; give the directory itself`,
  );
  t.equal(mdevfs('umount', at('mine/empty')).status, 0);
  t.equal(mountAt(join(precious, 'empty')), undefined);
  t.equal(mdevfs('mount', '-f', 'samples', at('mine/new/deep')).status, 0);
  t.equal(mdevfs('umount', join(precious, 'new/deep')).status, 0);
});

t.test('a directory of root in a sticky folder will do, and one of who called sudo', { skip }, async (t) => {
  const { at } = scene(t);
  makeDir(at('mine'), 0);
  t.equal(mdevfs('mount', '-f', 'samples', at('mine')).status, 0);
  t.equal(mdevfs('umount', at('mine')).status, 0);
  makeDir(at('theirs'), OTHER);
  const sudo = (uid: number) =>
    run('env', [`SUDO_UID=${uid}`, process.execPath, main, 'mount', '-f', 'samples', at('theirs/sys')]);
  refused(t, sudo(OTHER + 1), `${at('theirs')}: ${owned}; ${wayOut}`);
  t.equal(sudo(OTHER).status, 0);
  t.equal(mdevfs('umount', at('theirs/sys')).status, 0);
});

/** A folder for PATH with a program that does something before it becomes the real one. */
function before(at: Scene['at'], program: string, script: string): string {
  mkdirSync(at('bin'), { recursive: true });
  const real = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
  writeFileSync(at('bin', program), `#!/bin/sh\n${script}\nexec ${real} "$@"\n`, { mode: 0o755 });
  return `PATH=${at('bin')}:${process.env.PATH}`;
}

const mountsIn = (dir: string) => mounts().filter((mount) => mount.dir.startsWith(`${dir}/`));

for (const options of [[], ['--dev']] as const)
  t.test(
    `what is swapped for the directory of ${options[0] ?? 'the tree'} is not covered`,
    { skip },
    async (t) => {
      const { at, dir, precious } = scene(t);
      for (const name of ['victim', 'other']) mkdirSync(at(name));
      // mount(8) runs when everything was looked at. The second is that of the devices.
      const swap = `mv ${at('victim')} ${at('old')}; ln -s ${precious} ${at('victim')}`;
      const path = before(
        at,
        'mount',
        options.length > 0 ? `[ ! -e ${at('first')} ] || { ${swap}; }; : > ${at('first')}` : swap,
      );
      const where = options.length > 0 ? [...options, at('victim'), at('other')] : [at('victim')];
      const result = run('env', [path, process.execPath, main, 'mount', '-f', 'samples', ...where]);
      t.equal(result.status, 1);
      t.match(
        result.stderr,
        new RegExp(`^mdevfs: ${at('victim')}: .*was replaced while it was mounted at; try again\n$`),
      );
      t.strictSame(readdirSync(precious), ['empty']);
      t.strictSame(mountsIn(dir), [], 'nothing stays mounted');
    },
  );

t.test('umount takes away nothing that is swapped in', { skip }, async (t) => {
  const { at } = scene(t);
  for (const name of ['a', 'a/sys', 'b', 'b/sys']) mkdirSync(at(name));
  t.equal(spawnSync('mount', ['-t', 'tmpfs', 'none', at('b/sys')]).status, 0);
  writeFileSync(at('b/sys/passwd'), 'precious\n');
  for (const lazy of [[], ['--lazy']]) {
    t.equal(mdevfs('mount', '-f', 'samples', at('a/sys')).status, 0);
    const path = before(at, 'umount', `mv ${at('a')} ${at('c')}; ln -s ${at('b')} ${at('a')}`);
    const result = run('env', [path, process.execPath, main, 'umount', ...lazy, at('a/sys')]);
    t.strictSame(result, { status: 0, stdout: '', stderr: '' });
    t.equal(readFileSync(at('b/sys/passwd'), 'utf8'), 'precious\n');
    t.equal(mountAt(at('c/sys')), undefined, 'the right one is gone');
    rmSync(at('a'));
    spawnSync('mv', [at('c'), at('a')]);
  }
});

t.test('a daemon that ends takes away its own mount, wherever that is', { skip }, async (t) => {
  const { at } = scene(t);
  for (const name of ['a', 'a/sys', 'b', 'b/sys']) mkdirSync(at(name));
  const args = [...plain, process.execPath, main, 'mount', '--foreground', '-f', 'samples', at('a/sys')];
  const daemon = spawn('env', args);
  t.teardown(() => void daemon.kill('SIGKILL'));
  await once(daemon.stdout, 'data');
  t.equal(spawnSync('mount', ['-t', 'tmpfs', 'none', at('b/sys')]).status, 0);
  t.equal(spawnSync('mv', [at('a'), at('c')]).status, 0);
  symlinkSync('b', at('a'));
  daemon.kill('SIGTERM');
  t.strictSame(await once(daemon, 'close'), [0, null]);
  t.equal(mountAt(at('c/sys')), undefined);
  t.equal(mountAt(at('b/sys'))?.type, 'tmpfs');
});
