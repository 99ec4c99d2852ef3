import { closeSync, readSync, writeSync } from 'node:fs';
import t from 'tap';
import { EventfdSignals } from '../../../src/host/stub/eventfd-signals.js';
import { memory } from './memory.js';

const FULL = 0xffff_ffff_ffff_fffen;
const bytesOf = (value: bigint): Buffer => Buffer.from(new BigUint64Array([value]).buffer);
const client = { pid: process.pid, uid: 0 };

t.test('every signal counts, and a counter at its end stops nobody', async (t) => {
  const { native, stubs } = await memory(t, 2);
  const signals = new EventfdSignals(native, stubs);
  // One that makes writers wait.
  const fd = native.checked('eventfd', native.bind('int eventfd(unsigned int initial, int flags)')(0, 0));
  t.teardown(() => closeSync(fd));
  const count = (): bigint => {
    const bytes = Buffer.alloc(8);
    readSync(fd, bytes);
    return bytes.readBigUInt64LE();
  };
  for (let n = 0; n < 1000; n++) signals.signal(fd, client);
  t.equal(count(), 1000n);
  writeSync(fd, bytesOf(FULL));
  for (let n = 0; n < 100; n++) signals.signal(fd, client);
  t.ok(count() >= FULL);
  signals.signal(fd, client);
  t.equal(count(), 1n, 'and goes on when it was read');
});
