import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { mdevfs, mountpoint, run, statusOf } from './command.js';
import { noMounts } from './mounted.js';

const skip = noMounts() ?? false;
const mtty2 = 'class/mdev_bus/mtty/mdev_supported_types/mtty-2';
const uuidOf = (n: number) => `83b8f4f2-509f-382f-3c1e-${n.toString(16).padStart(12, '0')}`;

/** One read(2), or one pread(2). */
function read(fd: number, length: number, offset?: number): string {
  const buffer = Buffer.alloc(length);
  return buffer.toString('latin1', 0, readSync(fd, buffer, 0, length, offset ?? null));
}

function openReadClose(path: string): string {
  const fd = openSync(path, 'r');
  try {
    return read(fd, 4096);
  } finally {
    closeSync(fd);
  }
}

/** A mount with two devices, and what it costs to do something there. */
function mounted(t: Test, ...options: string[]) {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'samples', ...options, dir).status, 0);
  const at = (path: string) => join(dir, path);
  const ops = at('kernel/debug/mdevfs/ops');
  for (const n of [0, 1]) writeFileSync(at(`${mtty2}/create`), uuidOf(n));
  const count = (): Record<string, number> =>
    Object.fromEntries(
      readFileSync(ops, 'utf8')
        .trimEnd()
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(' '))
        .map(([name, number]) => [name, Number(number)]),
    );
  /** Requests that somebody waited for while `body` ran. */
  const cost = (body: () => unknown): Record<string, number> => {
    writeFileSync(ops, '0');
    body();
    const counts = count();
    for (const nobodyWaits of ['RELEASE', 'FORGET', 'BATCH_FORGET']) delete counts[nobodyWaits];
    return counts;
  };
  const shell = (script: string) => {
    const { status, stderr } = run('sh', ['-c', script], { cwd: dir });
    t.equal(status, 0, stderr);
  };
  return { dir, at, cost, shell };
}

t.test('what the kernel has seen it does not ask for again', { skip }, async (t) => {
  const { dir, at, cost, shell } = mounted(t);
  const device = `bus/mdev/devices/${uuidOf(0)}`;
  // A first walk makes everything known; the next one renews the times that reading the directories outdated.
  for (let n = 0; n < 3; n++) shell('ls -lR . > /dev/null');
  // The first who wants a time of birth finds out, for everybody, that there is none.
  statSync(dir);
  t.same(
    cost(() => statSync(at(`${device}/mdev_type/device_api`))),
    {},
  );
  t.same(
    cost(() => readlinkSync(at(device))),
    {},
  );
  t.same(
    cost(() => readdirSync(at('bus/mdev/devices'))),
    {},
  );
  t.same(
    cost(() => existsSync(at(device))),
    {},
  );
  t.same(
    cost(() => shell(`realpath ${device}/driver > /dev/null`)),
    {},
  );
  t.same(
    cost(() => shell('find . > /dev/null')),
    { STATFS: 1 },
  );
  // ls asks once whether files have labels, and once whether they have access lists.
  t.same(
    cost(() => shell('ls -lR . > /dev/null')),
    { GETXATTR: 2 },
  );
  t.same(
    cost(() => shell('ls -R . > /dev/null')),
    {},
  );
  const missing = () => existsSync(at('bus/mdev/devices/nonesuch'));
  missing();
  t.same(cost(missing), {}, 'a name that is missing is known too');
  t.ok(statusOf(dir));
});

t.test('a read is one request where the value never changes, two where it may', { skip }, async (t) => {
  const { at, cost } = mounted(t);
  const constant = () => openReadClose(at(`${mtty2}/device_api`));
  const value = () => openReadClose(at(`${mtty2}/available_instances`));
  for (let n = 0; n < 3; n++) {
    constant();
    value();
    await sleep(100);
  }
  t.same(cost(constant), { OPEN: 1 });
  t.same(cost(value), { OPEN: 1, READ: 1 });
});

t.test('without passthrough every read is a request, and status says so', { skip }, async (t) => {
  const { dir, at, cost } = mounted(t, '--no-passthrough');
  const constant = () => openReadClose(at(`${mtty2}/device_api`));
  for (let n = 0; n < 3; n++) {
    constant();
    await sleep(50);
  }
  t.same(cost(constant), { OPEN: 1, READ: 1 });
  t.match(mdevfs('status', dir).stdout, 'over fuse, no passthrough (switched off)');
  t.match(mdevfs('mount', dir).stdout, 'already mounted');
});

t.test(
  'a passed-through attribute is as any other: size, offsets, ENODEV once it is gone',
  { skip },
  async (t) => {
    const { at, cost } = mounted(t);
    const path = at(`bus/mdev/devices/${uuidOf(0)}/vendor/sample_mdev_dev`);
    const text = `This is MDEV ${uuidOf(0)}\n`;
    for (let n = 0; n < 3; n++) {
      t.equal(readFileSync(path, 'utf8'), text);
      await sleep(100);
    }
    t.notOk('READ' in cost(() => readFileSync(path)), 'it is passed through now');
    t.equal(statSync(path).size, 4096);
    const fd = openSync(path, 'r');
    const end = openSync(path, 'r');
    t.equal(read(fd, 4), 'This');
    t.equal(read(fd, 100), text.slice(4));
    t.equal(read(fd, 100), '');
    t.equal(read(fd, 5, 8), text.slice(8, 13));
    t.equal(read(end, 4096), text);
    writeFileSync(at(`bus/mdev/devices/${uuidOf(0)}/remove`), '1');
    for (const call of [() => read(fd, 1), () => read(fd, 1, 0), () => read(end, 1)])
      t.throws(call, { code: 'ENODEV' });
    closeSync(fd);
    closeSync(end);
    t.notOk(existsSync(path));
    writeFileSync(at(`${mtty2}/create`), uuidOf(0));
    t.equal(readFileSync(path, 'utf8'), text, 'a new device of that name is another file');
  },
);
