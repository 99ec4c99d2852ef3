/**
 * Masks of AP adapters and domains (drivers/s390/crypto/ap_bus.c): 256 bits, of which the leftmost is number 0. As text
 * they are `0x` and hexadecimal digits.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { cstring } from '../lib/kstrtox.js';

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

const NUMBER = '0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*';
const CHANGE = new RegExp(`^([+-])(${NUMBER})(?:-(${NUMBER}))?[,\\n]*`, 'i');

const numberOf = (text: string) => Number(/^0[0-7]/.test(text) ? `0o${text}` : text);

/**
 * Reads what is written to a mask of the bus (`ap_parse_bitmap_str`): a mask, of which `0x` may be missing, or changes
 * such as `+0-15,-0x20`, of which the last that is about a number counts.
 * @throws EINVAL for anything else, and for numbers that there are not
 */
export function changeApMask(current: ApMask, text: string): ApMask {
  const line = cstring(text);
  if (!/^[+-]/.test(line)) {
    const digits = /^(?:0?x)?([0-9a-f]*)\n?$/i.exec(line)?.[1];
    if (digits === undefined) throw new KernelError(Errno.EINVAL);
    return parseApMask(`0x${digits}`);
  }
  let mask = current;
  for (let rest = line; rest !== ''; ) {
    const [all, sign, first, last = first] = CHANGE.exec(rest) ?? [];
    if (all === undefined) throw new KernelError(Errno.EINVAL);
    const [from, to] = [numberOf(first!), numberOf(last!)];
    if (from > to || to >= AP_DEVICES) throw new KernelError(Errno.EINVAL);
    for (let number = from; number <= to; number++)
      mask = sign === '+' ? mask | apBit(number) : mask & ~apBit(number);
    rest = rest.slice(all.length);
  }
  return mask;
}
