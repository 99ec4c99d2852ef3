import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { memory, PAGE_SIZE } from './memory.js';

const fault = { code: 'EFAULT' };

t.test('memory of a process is read and written, however long', async (t) => {
  const { read, write, bytes, address } = await memory(t, 600);
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 7) % 251;
  for (const [at, length] of [
    [0, 0],
    [5, 4],
    [5, 32],
    [4095, 1025],
    [1, 1024 * 1024],
    [3, 2 * 1024 * 1024 - 1],
  ] as const) {
    const copy = await read(address + at, length);
    t.ok(copy.equals(bytes.subarray(at, at + length)), `${length} bytes`);
    copy.reverse();
    const before = Buffer.from(bytes);
    await write(address + at, copy);
    copy.copy(before, at);
    t.ok(bytes.equals(before), `nothing but those ${length} bytes is written`);
  }
});

t.test('memory that is not there, or may not be touched, is EFAULT', async (t) => {
  const { read, write, bytes, address } = await memory(t, 2);
  const end = address + bytes.length;
  for (const at of [end, end - 1, 0, 2 ** 47, 2 ** 52]) {
    await t.rejects(read(at, 4), fault, `read at ${at}`);
    await t.rejects(write(at, Buffer.alloc(4)), fault, `write at ${at}`);
  }
});

t.test('everybody gets what he asked for, also when many ask and most have to wait', async (t) => {
  const { copies, restarts, bytes, address } = await memory(t, 65);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at);
  let wrong = 0;
  await Promise.all(
    Array.from({ length: 16 }, async (_, number) => {
      const own = { client: { pid: number % 5, uid: number % 2 }, thread: process.pid };
      for (let n = 0; n < 300; n++) {
        const at = ((n * 7919 + number * 104729) % (bytes.length / 4 - 64)) * 4;
        const copy = await restarts.run(process.pid, 'access', () => {
          const target = Buffer.alloc(256);
          copies.read(own, address + at, target);
          return target;
        });
        for (let word = 0; word < 256; word += 4) if (copy.readUInt32LE(word) !== at + word) wrong++;
        if (n % 3 === 0) await new Promise(setImmediate);
      }
    }),
  );
  t.equal(wrong, 0);
});

t.test('a file of memory is that of its process, and tells when nothing is left of it', async (t) => {
  const { copies, restarts, bytes, address } = await memory(t, 2);
  bytes.write('one two');
  const fd = openSync('/proc/self/mem', 'r+');
  t.teardown(() => closeSync(fd));
  const file = { client: { pid: process.pid, uid: 0 }, fd };
  const read = (length: number): Buffer => {
    const target = Buffer.alloc(length);
    copies.read(file, BigInt(address), target);
    return target;
  };
  t.equal((await restarts.run(process.pid, 'access', () => read(3))).toString(), 'one');
  t.equal(await restarts.run(process.pid, 'access', () => copies.isGone(file)), false);
  t.equal(read(7).toString(), 'one two', 'also where nobody can come back to it');
  t.throws(() => copies.read(file, BigInt(PAGE_SIZE), Buffer.alloc(1)), fault);
});

t.test('signals that reach this program in the middle of calls mix up nothing', async (t) => {
  const { copies, restarts, stubs, bytes, address } = await memory(t, 65);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at);
  const fds = Array.from({ length: 40 }, () => openSync('/proc/self/mem', 'r+'));
  t.teardown(() => {
    for (const fd of fds) closeSync(fd);
  });
  const files = fds.map((fd, n) => ({ client: { pid: n, uid: n % 3 }, fd }));
  process.on('SIGUSR1', () => {});
  t.teardown(() => process.removeAllListeners('SIGUSR1'));
  // So often that most calls are interrupted.
  const noise = spawn('sh', ['-c', `while kill -USR1 ${process.pid} 2>/dev/null; do :; done`], {
    detached: true,
  });
  t.teardown(() => process.kill(-noise.pid!, 'SIGKILL'));
  await once(process, 'SIGUSR1');
  let wrong = 0;
  await Promise.all(
    files.map(async (file, number) => {
      for (let n = 0; n < 300; n++) {
        const at = ((n * 7919 + number * 104729) % (bytes.length / 4 - 16)) * 4;
        const copy = await restarts.run(process.pid, 'access', () => {
          const target = Buffer.alloc(64);
          copies.read(file, BigInt(address + at), target);
          return target;
        });
        if (copy.readUInt32LE(0) !== at) wrong++;
        if (n % 10 === 0) await new Promise(setImmediate);
      }
    }),
  );
  t.equal(wrong, 0);
  t.ok(stubs.pids.length > 0);
});
