/**
 * Messages of udev's multicast group, as libudev reads them: a header of 40 bytes, and the variables of the device,
 * each ended by a NUL. A receiver filters by the hashes in the header, which are in network order, as the magic
 * number is; the rest is in the machine's.
 * @module
 */

import { murmurHash2 } from '../lib/murmurhash2.js';

const PREFIX = Buffer.from('libudev\0', 'latin1');
const MAGIC = 0xfeedcafe;

/** Prefix, magic, size of the header, where the variables begin, their length, hashes of SUBSYSTEM and DEVTYPE, and two words that sum up the tags. */
const HEADER_SIZE = 40;

const hashOf = (text: string | undefined): number =>
  text === undefined ? 0 : murmurHash2(Buffer.from(text, 'latin1'));

/** @param env `KEY=value`; SUBSYSTEM is what receivers filter by */
export function encodeLibudev(env: readonly string[]): Buffer {
  const value = (key: string) =>
    env.find((variable) => variable.startsWith(`${key}=`))?.slice(key.length + 1);
  const variables = Buffer.from([...env, ''].join('\0'), 'latin1');
  const message = Buffer.alloc(HEADER_SIZE + variables.length);
  message.set(PREFIX, 0);
  message.writeUInt32BE(MAGIC, 8);
  message.writeUInt32LE(HEADER_SIZE, 12);
  message.writeUInt32LE(HEADER_SIZE, 16);
  message.writeUInt32LE(variables.length, 20);
  message.writeUInt32BE(hashOf(value('SUBSYSTEM')), 24);
  message.writeUInt32BE(hashOf(value('DEVTYPE')), 28);
  message.set(variables, HEADER_SIZE);
  return message;
}

/** The variables of a message; undefined when it is none of these. */
export function decodeLibudev(message: Buffer): string[] | undefined {
  if (message.length < HEADER_SIZE || !message.subarray(0, PREFIX.length).equals(PREFIX)) return undefined;
  if (message.readUInt32BE(8) !== MAGIC) return undefined;
  const start = message.readUInt32LE(16);
  return message
    .toString('latin1', start, start + message.readUInt32LE(20))
    .split('\0')
    .filter(Boolean);
}
