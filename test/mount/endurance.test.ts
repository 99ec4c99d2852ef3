import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { mdevfs, mountpoint, plain, statusOf } from './command.js';
import { noMounts, until } from './mounted.js';

const skip = noMounts() ?? false;
const workerFile = fileURLToPath(new URL('./worker.js', import.meta.url));

const CLIENTS = 8;
const OPERATIONS = 1_000_000;
const KILLS = 150;
/** Of memory that is flat, for what a garbage collector has not looked at yet. */
const SLACK_KB = 48 * 1024;

function mounted(t: Test) {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  const workers = new Set<ChildProcess>();
  t.teardown(() => {
    for (const worker of workers) worker.kill('SIGKILL');
  });
  const start = (number: number, ...operations: string[]): ChildProcess => {
    const command = [...plain, process.execPath, workerFile, dir, String(number), ...operations];
    const worker = spawn('env', command, { stdio: ['ignore', 'ignore', 'inherit'] });
    workers.add(worker);
    worker.on('exit', () => workers.delete(worker));
    return worker;
  };
  const runAll = async (operations: number): Promise<unknown[]> => {
    const each = String(operations / CLIENTS);
    const all = Array.from({ length: CLIENTS }, (_, number) => once(start(number, each), 'exit'));
    return (await Promise.all(all)).map(([code]) => code);
  };
  const { pid } = statusOf(dir)!;
  const status = (task = '') => readFileSync(`/proc/${pid}/${task}status`, 'utf8');
  return { dir, pid, start, runAll, status };
}

t.test('a million operations of eight clients leave memory flat', { skip, timeout: 800_000 }, async (t) => {
  const { dir, runAll, status } = mounted(t);
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(status())![1]);
  const good = Array(CLIENTS).fill(0);
  t.same(await runAll(OPERATIONS / 5), good, 'a fifth, to warm up');
  const before = resident();
  t.same(await runAll(OPERATIONS), good);
  const grown = resident() - before;
  t.comment(`${before} KB resident before, ${grown} KB more after`);
  t.ok(grown < SLACK_KB, `${grown} KB more`);
  t.same(readdirSync(join(dir, 'bus/mdev/devices')), []);
});

t.test(
  'clients that are killed while they wait for an answer leave the daemon serving',
  { skip },
  async (t) => {
    const { dir, start } = mounted(t);
    for (let kills = 0; kills < KILLS; kills += CLIENTS) {
      const workers = Array.from({ length: CLIENTS }, (_, number) => start(number));
      const exits = workers.map((worker) => once(worker, 'exit'));
      const type = join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-1/devices');
      await until('somebody has made a device', () => readdirSync(type).length > 0);
      await sleep(kills % 7);
      for (const worker of workers) worker.kill('SIGKILL');
      await Promise.all(exits);
    }
    t.equal(statusOf(dir)?.state, 'served');
    const [code] = (await once(start(0, '160'), 'exit')) as [number];
    t.equal(code, 0, 'a client that comes after them finds everything in order');
    t.notOk(existsSync(join(dir, 'bus/mdev/devices', '93b8f4f2-509f-382f-3c1e-000000000000')));
  },
);

t.test('a daemon that nobody asks anything does not wake up', { skip }, async (t) => {
  const { dir, pid, status } = mounted(t);
  readdirSync(join(dir, 'bus/mdev/devices'));
  const switches = (): number => {
    let sum = 0;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      for (const [, count] of status(`task/${task}/`).matchAll(/ctxt_switches:\s+(\d+)/g))
        sum += Number(count);
    }
    return sum;
  };
  // The collector of garbage comes by once more, some seconds after the last activity.
  let woken = 0;
  for (let tries = 0; tries < 10; tries++) {
    const before = switches();
    await sleep(5000);
    woken = switches() - before;
    if (woken === 0) break;
  }
  t.equal(woken, 0, 'in five seconds');
});
