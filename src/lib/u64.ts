/**
 * Little-endian 64-bit numbers as JavaScript numbers, exact up to 2^53. Who needs more of them takes a bigint, which costs
 * several times as much.
 * @module
 */

const TWO32 = 0x1_0000_0000;

export function getU64(b: Buffer, at: number): number {
  return b.readUInt32LE(at) + b.readUInt32LE(at + 4) * TWO32;
}

export function putU64(b: Buffer, at: number, value: number): void {
  b.writeUInt32LE(value >>> 0, at);
  b.writeUInt32LE(Math.floor(value / TWO32), at + 4);
}
