import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { mdevfs, mountpoint, plain, statusOf } from './command.js';
import { noMounts, until } from './mounted.js';

const skip = noMounts() ?? false;
const readerFile = fileURLToPath(new URL('./constants-reader.js', import.meta.url));
const CYCLES = 25;

/** Whether a thread of a process is left. The first one is unburied as long as there are others. */
function isLeft(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((task) =>
      /^State:\t[^ZX]/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1')),
    );
  } catch {
    // It goes while one looks.
    return existsSync(`/proc/${pid}`) && isLeft(pid);
  }
}

/** Uses the directory in which the kernel lists FUSE connections. */
function withConnections<T>(use: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  try {
    spawnSync('mount', ['-t', 'fusectl', 'fusectl', dir]);
    return use(dir);
  } finally {
    spawnSync('umount', [dir]);
    rmdirSync(dir);
  }
}

/** Connections on which somebody waits. */
function waitedFor(connections: string): string[] {
  return readdirSync(connections).filter(
    (name) => readFileSync(join(connections, name, 'waiting'), 'latin1') !== '0\n',
  );
}

/** A mountpoint, and what frees the machine when its daemon cannot end. */
function freedMountpoint(t: Test): { dir: string; free(): void } {
  // Numbers are used again, so that of a connection alone says nothing.
  const others = withConnections(waitedFor);
  const dir = mountpoint(t);
  const free = (): void => {
    spawnSync('umount', ['-f', '-l', dir]);
    withConnections((connections) => {
      for (const name of waitedFor(connections))
        if (!others.includes(name)) writeFileSync(join(connections, name, 'abort'), '1');
    });
  };
  return { dir, free };
}

/** Mounts, and clears what is left of the last time. @returns the daemon */
function mount(t: Test, dir: string, after: boolean): number {
  const { status, stdout, stderr } = mdevfs('mount', '-f', 'samples', dir);
  const expected = after ? `mdevfs: ${dir}: cleared the mount of a dead daemon\n` : '';
  if (status !== 0 || stderr !== expected) t.fail(`mount: ${status} ${stderr}`);
  return Number(/daemon (\d+)/.exec(stdout)![1]);
}

t.test(
  'a daemon that is killed while backing files are made ends, and its clients hear of it',
  { skip, timeout: 240_000 },
  async (t) => {
    const { dir, free } = freedMountpoint(t);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const pid = mount(t, dir, cycle > 0);
      const kill = [pid, cycle * 7, cycle * 8].map(String);
      const readers = [[], kill].map((args) => {
        const command = [...plain, process.execPath, readerFile, dir, ...args];
        return spawn('env', command, { stdio: ['ignore', 'pipe', 'inherit'] });
      });
      const said = readers.map(async ({ stdout }) =>
        (await stdout!.setEncoding('latin1').toArray()).join(''),
      );
      const ended = Promise.all(readers.map((reader) => once(reader, 'close')));
      try {
        await until('the daemon is gone', () => !isLeft(pid));
      } catch (error) {
        free();
        await ended;
        await until('the machine is free again', () => !isLeft(pid));
        throw error;
      }
      await ended;
      for (const errno of await Promise.all(said))
        t.match(errno, /^(ENOTCONN|ECONNABORTED)$/, `cycle ${cycle}`);
    }
    t.equal(statusOf(dir)?.state, 'stale');
  },
);
