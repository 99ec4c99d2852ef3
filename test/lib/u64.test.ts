import t from 'tap';
import { getU64, putU64 } from '../../src/lib/u64.js';

t.test('numbers up to 2^53 are stored as 64 bits, and found again', async (t) => {
  const bytes = Buffer.alloc(16, 0xff);
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 7 * 2 ** 40 + 3, Number.MAX_SAFE_INTEGER]) {
    putU64(bytes, 4, value);
    t.equal(bytes.readBigUInt64LE(4), BigInt(value));
    t.equal(getU64(bytes, 4), value);
  }
  t.equal(bytes.readUInt32LE(0), 0xffff_ffff, 'and nothing before');
  t.equal(bytes.readUInt32LE(12), 0xffff_ffff, 'or behind it');
  for (const value of [-1, 2 ** 64]) t.throws(() => putU64(bytes, 4, value), { code: 'ERR_OUT_OF_RANGE' });
});
