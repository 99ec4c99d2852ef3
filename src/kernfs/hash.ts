/**
 * The name hash that orders a kernfs directory (fs/kernfs/dir.c `kernfs_name_hash`), 31 bits wide, for names
 * without a namespace on a 64-bit kernel. readdir goes through a directory by this hash, then by name.
 * @module
 */

const TWO32 = 0x1_0000_0000;
// The multiplier of hash_long(), 2^64 divided by the golden ratio, in two halves.
const GOLDEN_HIGH = 0x61c88646;
const GOLDEN_LOW = 0x80b583eb;

/** Offsets 0 and 1 are `.` and `..`; the last offset marks the end of a directory. */
export const FIRST_HASH = 2;
export const END_OF_DIRECTORY = 0x7fffffff;

const encoder = new TextEncoder();

/** The upper 32 bits of the product of two unsigned 32-bit numbers. */
function mulHigh(a: number, b: number): number {
  const [a1, a0, b1, b0] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  return a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(((middle & 0xffff) + a0 * b1) / 0x10000);
}

/**
 * @param name a directory entry's name
 * @returns a number from 2 to 0x7ffffffe
 */
export function kernfsNameHash(name: string): number {
  // value = (value + (c << 4) + (c >> 4)) * 11 for each byte, in 64 bits held as two halves.
  let low = 0;
  let high = 0;
  for (const c of encoder.encode(name)) {
    const sum = low + (c << 4) + (c >> 4);
    const carry = sum >= TWO32 ? 1 : 0;
    const product = (sum - carry * TWO32) * 11;
    low = product % TWO32;
    high = ((high + carry) * 11 + (product - low) / TWO32) % TWO32;
  }
  const folded = Math.imul(high, GOLDEN_LOW) + Math.imul(low, GOLDEN_HIGH) + mulHigh(low, GOLDEN_LOW);
  const hash = (folded % TWO32) & 0x7fffffff;
  return Math.min(Math.max(hash, FIRST_HASH), END_OF_DIRECTORY - 1);
}
