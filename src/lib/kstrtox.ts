/**
 * Strict text to number conversion of lib/kstrtox.c: an optional `+`, a base prefix, digits, and at most one
 * trailing newline. A NUL ends the text, as it ends a C string.
 * @module
 */

import { Errno, KernelError } from './errno.js';

const digits = { 2: /^[01]+$/, 8: /^[0-7]+$/, 10: /^[0-9]+$/, 16: /^[0-9a-f]+$/i } as const;

/** The C string at the start of a buffer: everything before the first NUL. */
export function cstring(text: string): string {
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}

function body(text: string): string {
  const s = cstring(text);
  return s.endsWith('\n') ? s.slice(0, -1) : s;
}

/**
 * `kstrtoull`.
 * @param base 0 takes the base from the prefix: `0x` is 16, a leading `0` is 8, anything else 10
 * @throws EINVAL for anything that is not exactly a number
 * @throws ERANGE when the number does not fit `bits`
 */
export function kstrtoull(text: string, base: 0 | 8 | 10 | 16 = 0, bits = 64): bigint {
  let s = body(text);
  if (s.startsWith('+')) s = s.slice(1);
  let radix: 8 | 10 | 16 = base === 0 ? 10 : base;
  const hex = /^0x/i.test(s);
  if (base === 0 && s.startsWith('0')) radix = hex && /^[0-9a-f]/i.test(s.slice(2)) ? 16 : 8;
  if (radix === 16 && hex) s = s.slice(2);
  if (!digits[radix].test(s)) throw new KernelError(Errno.EINVAL);
  const value = BigInt(radix === 10 ? s : radix === 16 ? `0x${s}` : `0o${s}`);
  if (value >> BigInt(bits) !== 0n) throw new KernelError(Errno.ERANGE);
  return value;
}

/** `kstrtouint`: at most 32 bits. Same errors as {@link kstrtoull}. */
export function kstrtouint(text: string, base: 0 | 8 | 10 | 16 = 0): number {
  return Number(kstrtoull(text, base, 32));
}

/**
 * `kstrtoint`: a signed 32-bit number.
 * @throws EINVAL, ERANGE as {@link kstrtoull}
 */
export function kstrtoint(text: string, base: 0 | 8 | 10 | 16 = 0): number {
  const negative = text.startsWith('-');
  if (negative && text[1] === '+') throw new KernelError(Errno.EINVAL);
  const value = Number(kstrtoull(negative ? text.slice(1) : text, base, 64));
  if (value > (negative ? 0x80000000 : 0x7fffffff)) throw new KernelError(Errno.ERANGE);
  return negative ? -value : value;
}

/**
 * `kstrtobool`: looks at the first character only (the second too after `o`).
 * @throws EINVAL for anything but y, t, 1, on, n, f, 0, off
 */
export function kstrtobool(text: string): boolean {
  const first = text[0]?.toLowerCase();
  if (first === 'y' || first === 't' || first === '1') return true;
  if (first === 'n' || first === 'f' || first === '0') return false;
  if (first === 'o') {
    const second = text[1]?.toLowerCase();
    if (second === 'n') return true;
    if (second === 'f') return false;
  }
  throw new KernelError(Errno.EINVAL);
}

/** `sysfs_streq`: equal but for one trailing newline (or the end of the C string) on either side. */
export function sysfsStreq(a: string, b: string): boolean {
  return body(a) === body(b);
}
