/**
 * Little-endian numbers in messages and structures. They do what the methods of Buffer do, in a third of the time, which
 * counts where a request is a dozen of them and takes a few microseconds; 64 bits are a number, exact up to 2^53, since a
 * bigint takes several times as long again.
 * @module
 */

const TWO24 = 0x100_0000;
const TWO32 = 0x1_0000_0000;

function beyond(b: Uint8Array, at: number): never {
  throw new RangeError(`offset ${at} of ${b.length} bytes`);
}

/** @throws RangeError when the bytes end before the number does; so do the others */
export function getU32(b: Uint8Array, at: number): number {
  if (!(at + 4 <= b.length)) beyond(b, at);
  return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16)) + b[at + 3]! * TWO24;
}

/** @param value a negative one is stored as two's complement */
export function putU32(b: Uint8Array, at: number, value: number): void {
  if (!(at + 4 <= b.length)) beyond(b, at);
  b[at] = value;
  b[at + 1] = value >>> 8;
  b[at + 2] = value >>> 16;
  b[at + 3] = value >>> 24;
}

export function getU64(b: Uint8Array, at: number): number {
  return getU32(b, at) + getU32(b, at + 4) * TWO32;
}

export function putU64(b: Uint8Array, at: number, value: number): void {
  putU32(b, at, value);
  putU32(b, at + 4, Math.floor(value / TWO32));
}
