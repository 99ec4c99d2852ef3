import t from 'tap';
import { getU32, getU64, putU32, putU64 } from '../../src/lib/le.js';

t.test('numbers are stored as Buffer stores them, and nothing beside them', async (t) => {
  const bytes = Buffer.alloc(12, 0xaa);
  for (const value of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xfedc_ba98, 0xffff_ffff]) {
    putU32(bytes, 3, value);
    t.equal(bytes.readUInt32LE(3), value);
    t.equal(getU32(bytes, 3), value);
  }
  t.equal(bytes.toString('hex', 0, 3) + bytes.toString('hex', 7), 'aa'.repeat(8));
});

t.test('64 bits are exact up to 2^53', async (t) => {
  const bytes = Buffer.alloc(16, 0xaa);
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 7 * 2 ** 40 + 3, Number.MAX_SAFE_INTEGER]) {
    putU64(bytes, 5, value);
    t.equal(bytes.readBigUInt64LE(5), BigInt(value));
    t.equal(getU64(bytes, 5), value);
  }
  t.equal(bytes.toString('hex', 0, 5) + bytes.toString('hex', 13), 'aa'.repeat(8));
});

t.test('a negative number is its two’s complement', async (t) => {
  const bytes = Buffer.alloc(8);
  putU32(bytes, 0, -2);
  t.equal(bytes.readInt32LE(0), -2);
  putU64(bytes, 0, -2);
  t.equal(bytes.readBigInt64LE(0), -2n);
});

t.test('what does not fit is a RangeError', async (t) => {
  const bytes = Buffer.alloc(8);
  for (const at of [5, 8, Number.NaN]) {
    t.throws(() => getU32(bytes, at), RangeError);
    t.throws(() => putU32(bytes, at, 0), RangeError);
  }
  t.throws(() => getU64(bytes, 1), RangeError);
  t.throws(() => putU64(bytes, 1, 0), RangeError);
  t.same(bytes, Buffer.alloc(8));
});
