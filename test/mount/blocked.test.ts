import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { MountedSample, noMounts, processState, until } from './mounted.js';

const skip = noMounts() ?? false;

/** Starts a writer that sleeps in a store. */
async function blockedWriter(t: Test, mounted: MountedSample) {
  const before = Number(mounted.read('attrs/blocked'));
  const writer = spawn('bash', ['--norc', '-c', 'echo x > "$0"', mounted.path('attrs/block')]);
  const exited = once(writer, 'exit');
  t.teardown(() => {
    writer.kill('SIGKILL');
  });
  await until('the store sleeps', () => Number(mounted.read('attrs/blocked')) > before);
  return { writer, exited };
}

t.test('a write that sleeps is answered later, everybody else at once', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  const writers = [await blockedWriter(t, mounted), await blockedWriter(t, mounted)];
  t.equal(mounted.read('attrs/blocked'), '2\n');
  t.equal(mounted.sh('cat attrs/both; ls devices').stdout, 'both\ncreate\ndev0\ndev1\n');
  t.equal(mounted.write('devices/create', 'meanwhile'), 9);
  t.same(
    writers.map(({ writer }) => writer.exitCode),
    [null, null],
  );
  mounted.write('attrs/release', '1');
  t.same(await Promise.all(writers.map(({ exited }) => exited)), [
    [0, null],
    [0, null],
  ]);
});

t.test('a killed writer sleeps on until its store is done', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  const { writer, exited } = await blockedWriter(t, mounted);
  writer.kill('SIGKILL');
  await until('the writer sleeps uninterruptibly', () => processState(writer.pid!) === 'D');
  t.equal(mounted.read('attrs/blocked'), '1\n');
  t.equal(mounted.write('attrs/release', '1'), 1);
  t.same(await exited, [null, 'SIGKILL']);
  t.equal(mounted.read('attrs/both'), 'both\n');
});

t.test('unmounting ends a write that sleeps', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  const { exited } = await blockedWriter(t, mounted);
  mounted.daemon.kill('SIGTERM');
  t.equal(await mounted.ended, 0);
  t.same(await exited, [1, null]);
});
