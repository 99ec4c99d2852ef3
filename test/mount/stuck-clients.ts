/**
 * Gets a daemon stuck, kills it, and says what becomes of its clients: `node stuck-clients.js DIR WORK [run]`. WORK is an
 * empty directory for files of its own. Whatever it started is gone when it ends.
 *
 * While the daemon waits in a store, a client asks for a store that never comes back, and another one for a name, holding the
 * lock of its directory. The daemon then makes a name in there, its notifier waits for that lock, and everybody waits
 * for everybody.
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startAborter } from '../../src/host/aborter.js';
import { runAborterScript } from '../../src/host/aborter-script.js';
import { until } from './mounted.js';

const [dir, work, run] = process.argv.slice(2) as [string, string, string | undefined];
const daemonFile = fileURLToPath(new URL('./stuck-daemon.js', import.meta.url));
const flag = join(work, 'flag');
const fifo = join(work, 'fifo');
const PATIENCE_MS = 20_000;
const children: ChildProcess[] = [];

function started(command: string, args: string[]): ChildProcess {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  children.push(child);
  return child;
}

const first = async ({ stdout }: ChildProcess): Promise<string> => String((await once(stdout!, 'data'))[0]);

/** What a process does in the kernel. */
const callOf = ({ pid }: ChildProcess): string => readFileSync(`/proc/${pid}/syscall`, 'latin1');

/** A shell that does something when it is told. */
class Client {
  readonly #said: Promise<string[]>;

  private constructor(readonly child: ChildProcess) {
    this.#said = child.stderr!.setEncoding('latin1').toArray();
  }

  static async of(before: string, script: string): Promise<Client> {
    const client = new Client(started('bash', ['--norc', '-c', `${before}; echo up; read -r x; ${script}`]));
    await first(client.child);
    return client;
  }

  /** Has it begin, and waits until it waits for the daemon. */
  async begin(): Promise<void> {
    await until('it waits to be told', () => callOf(this.child).split(' ')[1] === '0x0');
    const told = callOf(this.child);
    this.child.stdin!.write('\n');
    let last = '';
    await until('it waits for the daemon', () => {
      const [now, before] = [callOf(this.child), last];
      last = now;
      return now !== told && !now.startsWith('running') && now === before;
    });
  }

  /** What it said last; `waits` when it does not end in a long time. */
  async end(): Promise<string> {
    const said = this.#said.then((texts) => texts.join('').trim().split(': ').at(-1)!);
    return Promise.race([said, sleep(PATIENCE_MS, 'waits', { ref: false })]);
  }
}

/** State letters of the threads of a process. */
function threadsOf(pid: number): string {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((task) => /^State:\t(.)/m.exec(readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1'))![1])
      .join('');
  } catch {
    return existsSync(`/proc/${pid}`) ? '?' : '';
  }
}

try {
  if (run) spawnSync('mkfifo', [fifo]);
  const daemon = started(process.execPath, [daemonFile, dir, flag, ...(run ? [fifo] : [])]);
  const pid = daemon.pid!;
  if ((await first(daemon)) !== 'ready\n') throw new Error('the daemon does not start');
  if (run) {
    const aborter = startAborter(runAborterScript(false, fifo, [dir]));
    children.push(aborter);
    aborter.stdin!.end(`${process.pid} ${pid}\n`);
  }
  const path = (name: string): string => `'${join(dir, name)}'`;
  // The kernel remembers that it is missing, so that has to be taken back.
  existsSync(join(dir, 'dir/new'));
  const clients = [
    await Client.of(`exec 3>${path('add')}`, 'echo x >&3'),
    await Client.of(`exec 3>${path('freeze')}`, 'echo x >&3'),
    await Client.of(':', `exec <${path('dir/other')}`),
  ];
  for (const client of clients) await client.begin();
  writeFileSync(flag, '');
  await until('a thread of the daemon is stuck', () => threadsOf(pid).includes('D'));
  process.kill(pid, 'SIGKILL');
  const said = await Promise.all(clients.map((client) => client.end()));
  if (!said.includes('waits')) await until('the daemon is gone', () => /^Z?$/.test(threadsOf(pid)));
  process.stdout.write(JSON.stringify(said));
} finally {
  spawnSync('umount', ['-f', '-l', dir]);
  for (const child of children) child.kill('SIGKILL');
}
