import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { MountedSample, noMounts } from './mounted.js';

const skip = noMounts() ?? false;
const waiterFile = fileURLToPath(new URL('./poll-waiter.js', import.meta.url));

t.test('poll(2) is exceptional until the value was read and after it changed', { skip }, async (t) => {
  const { sys, ...mounted } = await MountedSample.start(t).then((m) => ({
    sys: m.sys,
    write: m.write.bind(m),
  }));
  const fd = sys.open('/sys/attrs/event', 0);
  t.equal(sys.poll(fd), 335);
  sys.read(fd, 10);
  t.equal(sys.poll(fd), 325);
  mounted.write('attrs/notify', '1');
  t.equal(sys.poll(fd), 335);
  sys.pread(fd, 10, 0);
  t.equal(sys.poll(fd), 325);
  sys.close(fd);
  const store = sys.open('/sys/attrs/store', 1);
  t.equal(sys.poll(store), 335);
  sys.close(store);
  const dir = sys.open('/sys/attrs', 0o200000);
  t.equal(sys.poll(dir), 325);
  sys.close(dir);
});

/** A process that reads a file, says so, waits in poll(2) for POLLPRI, and says what it got. */
async function waiter(path: string) {
  const child = spawn(process.execPath, [waiterFile, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString();
  });
  await once(child.stdout, 'data');
  return { child, ended: once(child, 'close').then(() => output) };
}

t.test('a process that waits in poll(2) is woken', { skip }, async (t) => {
  const mounted = await MountedSample.start(t);
  await t.test('by a change', async (t) => {
    const { child, ended } = await waiter(mounted.path('attrs/event'));
    t.teardown(() => void child.kill('SIGKILL'));
    mounted.write('attrs/notify', '1');
    t.equal(await ended, 'waiting\n1 10\n');
  });
  await t.test('by removal', async (t) => {
    const { child, ended } = await waiter(mounted.path('devices/dev0/name'));
    t.teardown(() => void child.kill('SIGKILL'));
    mounted.write('devices/dev0/remove', '1');
    t.equal(await ended, 'waiting\n1 10\n');
  });
});
