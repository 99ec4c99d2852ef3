import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { main, mdevfs, plain } from './command.js';
import { noMounts, noNamespaces, noUserNamespaces, until } from './mounted.js';

const skip = noMounts() ?? noNamespaces() ?? false;

function workDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  chmodSync(dir, 0o755);
  return dir;
}

t.test(
  'root does not enter the run of another user, who decides what is executed there',
  { skip: skip || (noUserNamespaces() ?? false) },
  async (t) => {
    const dir = workDir(t);
    const evil = join(dir, 'evil');
    writeFileSync(evil, `#!/bin/sh\necho "$(id -u)" > ${dir}/executed\n`, { mode: 0o755 });
    const inside = `mount -n --bind ${evil} "$(command -v uname)" && echo ready; sleep 1000`;
    // /dev/fuse as distributions have it, for this one namespace.
    const asUser = `mknod -m 666 ${dir}/fuse c 10 229 && mount -n --bind ${dir}/fuse /dev/fuse &&
      exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"`;
    const words = ['-m', '--propagation', 'private', 'sh', '-c', asUser, 'sh', process.execPath, main];
    const running = spawn('env', [...plain, 'unshare', ...words, 'run', '--', 'sh', '-c', inside], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(running, 'close');
    t.teardown(async () => {
      running.kill('SIGKILL');
      await ended;
    });
    let said = '';
    running.stdout.on('data', (text: Buffer) => (said += text.toString()));
    await until('it runs', () => said === 'ready\n');
    const { pid } = running;
    t.same(mdevfs('enter', String(pid), '--', 'uname'), {
      status: 1,
      stdout: '',
      stderr: `mdevfs: ${pid}: a run of user 1000, who decides what is executed there; sudo -u '#1000' mdevfs enter ${pid}\n`,
    });
    t.throws(() => readFileSync(join(dir, 'executed')), { code: 'ENOENT' });
  },
);

t.test('a control file is one of a mounted tree, wherever a link leads to', { skip }, (t) => {
  const dir = workDir(t);
  const [control, precious] = [join(dir, 'tree/kernel/debug/mdevfs'), join(dir, 'precious')];
  mkdirSync(control, { recursive: true });
  for (const name of ['fail', 'plug', 'unplug', 'attach', 'kmsg']) {
    writeFileSync(precious, 'precious');
    symlinkSync(precious, join(control, name));
  }
  const words = ['fault', join(dir, 'tree'), 'add', 'op=remove', 'device=83b8*', 'errno=EBUSY'];
  const refused = {
    status: 2,
    stderr: `mdevfs: ${join(dir, 'tree')}: no mounted tree; mdevfs status lists them\n`,
  };
  t.match(mdevfs(...words), refused);
  rmSync(join(control, 'fail'));
  writeFileSync(join(control, 'fail'), 'precious');
  t.match(mdevfs(...words), refused, 'nor a file that is there itself');
  for (const file of [precious, join(control, 'fail')]) t.equal(readFileSync(file, 'latin1'), 'precious');
  t.end();
});
