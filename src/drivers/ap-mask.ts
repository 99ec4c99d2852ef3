/**
 * Masks of AP adapters and domains (drivers/s390/crypto/ap_bus.c): 256 bits, of which the leftmost is number 0. As text
 * they are `0x` and hexadecimal digits.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';

/** Adapters there can be, and domains. */
export const AP_DEVICES = 256;
const DIGITS = AP_DEVICES / 4;

export type ApMask = bigint;

/** The mask of one number, 0 to 255. */
export const apBit = (number: number): ApMask => 1n << BigInt(AP_DEVICES - 1 - number);

export const apMaskOf = (numbers: Iterable<number>): ApMask =>
  [...numbers].reduce((mask, number) => mask | apBit(number), 0n);

/** The numbers of a mask, ascending. */
export function apNumbers(mask: ApMask): number[] {
  const bits = mask.toString(2).padStart(AP_DEVICES, '0');
  return Array.from(bits).flatMap((bit, number) => (bit === '1' ? [number] : []));
}

export const formatApMask = (mask: ApMask): string => `0x${mask.toString(16).padStart(DIGITS, '0')}`;

/**
 * Reads a mask; digits that are missing at the end are 0 (`ap_hex2bitmap`).
 * @throws EINVAL for anything but `0x` and up to 64 digits
 */
export function parseApMask(text: string): ApMask {
  const digits = /^0x([0-9a-f]*)$/i.exec(text)?.[1];
  if (digits === undefined || text[1] !== 'x' || digits.length > DIGITS) throw new KernelError(Errno.EINVAL);
  return BigInt(`0x0${digits.padEnd(DIGITS, '0')}`);
}
