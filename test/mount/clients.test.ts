import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { MountedSample, noMounts } from './mounted.js';

const skip = noMounts() ?? false;
const CLIENTS = 8;

/** Runs a script in as many shells at once; `$N` is the number of each. @returns what each wrote */
function together(t: Test, { dir }: MountedSample, script: string): Promise<string[]> {
  const runs = Array.from({ length: CLIENTS }, async (_, n) => {
    const child = spawn('bash', ['--norc', '-c', `exec 2>&1; ${script}`], {
      cwd: dir,
      env: { ...process.env, N: String(n), LC_ALL: 'C' },
    });
    t.teardown(() => void child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
    });
    await once(child, 'close');
    return output;
  });
  return Promise.all(runs);
}

t.test('eight clients at once', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);

  await t.test('each with devices of its own disturb nobody', async (t) => {
    const outputs = await together(
      t,
      mounted,
      'for i in {1..25}; do echo c$N-$i > devices/create; cat bus/c$N-$i/name; ls devices > /dev/null;' +
        ' echo 1 > devices/c$N-$i/remove; [ -e devices/c$N-$i ] && echo still there; done',
    );
    outputs.forEach((output, n) => {
      t.equal(output, Array.from({ length: 25 }, (_, i) => `c${n}-${i + 1}\n`).join(''));
    });
    t.equal(mounted.sh('ls devices').stdout, 'create\ndev0\ndev1\n');
  });

  await t.test('of all who create one name, one wins', async (t) => {
    const outputs = await together(t, mounted, 'echo same > devices/create && echo won');
    t.same(
      outputs.map((output) => output.trim().replace(/.*: /, '')).sort(),
      [...Array<string>(CLIENTS - 1).fill('File exists'), 'won'].sort(),
    );
    t.equal(mounted.sh('ls devices').stdout, 'create\ndev0\ndev1\nsame\n');
  });

  await t.test('of all who remove it, one does, and the rest find it gone', async (t) => {
    const outputs = await together(t, mounted, 'echo 1 > devices/same/remove && echo won');
    const results = outputs.map((output) => output.trim().replace(/.*: /, ''));
    t.equal(results.filter((result) => result === 'won').length, 1);
    const lost = /^(No such device|No such file or directory|Permission denied)$/;
    t.equal(results.filter((result) => lost.test(result)).length, CLIENTS - 1, results.join(', '));
    t.equal(mounted.sh('ls devices').stdout, 'create\ndev0\ndev1\n');
  });

  t.equal(mounted.output, 'ready\n', 'the daemon had nothing to complain about');
});

t.test('a client that is killed in the middle does no harm', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  await together(
    t,
    mounted,
    'for i in {1..10}; do (while :; do cat attrs/both; ls devices; done > /dev/null) & p=$!; ls bus > /dev/null;' +
      ' kill -9 $p; wait $p 2> /dev/null; done',
  );
  t.equal(mounted.read('attrs/both'), 'both\n');
  t.equal(mounted.output, 'ready\n');
});
