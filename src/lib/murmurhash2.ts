/**
 * MurmurHash2, the 32-bit hash by Austin Appleby, in its little-endian form. libudev compares subsystems by it.
 * @module
 */

const M = 0x5bd1e995;
const R = 24;

/** @param seed a number of 32 bits */
export function murmurHash2(data: Uint8Array, seed = 0): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let hash = seed ^ data.length;
  let at = 0;
  for (; data.length - at >= 4; at += 4) {
    let word = Math.imul(view.getUint32(at, true), M);
    word = Math.imul(word ^ (word >>> R), M);
    hash = Math.imul(hash, M) ^ word;
  }
  if (at < data.length) {
    for (let n = data.length - at; n > 0; n--) hash ^= data[at + n - 1]! << (8 * (n - 1));
    hash = Math.imul(hash, M);
  }
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return (hash ^ (hash >>> 15)) >>> 0;
}
