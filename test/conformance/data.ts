/**
 * Bytes as the recordings write them: `{s}` for text, `{hex}` for the rest, and a prefix with the total
 * length and a SHA-256 for what was too long to write down. Such data is regenerated where it is a prefix
 * followed by one repeated byte, and the digest proves the guess.
 * @module
 */

import { createHash } from 'node:crypto';

export interface BytesForm {
  s?: string;
  hex?: string;
  len?: number;
  /** Length of the whole, of which `s` or `hex` is the beginning. */
  truncated_total?: number;
  sha256?: string;
}

/** Data that a recording abbreviates and that cannot be guessed. */
export class Unrecoverable extends Error {}

export function isBytesForm(value: unknown): value is BytesForm {
  return typeof value === 'object' && value !== null && ('s' in value || 'hex' in value);
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The bytes that are written down: all of them, or the prefix. */
function literal(form: BytesForm): Buffer {
  return form.hex === undefined ? Buffer.from(form.s ?? '', 'utf8') : Buffer.from(form.hex, 'hex');
}

/**
 * The bytes of a recorded argument.
 * @throws Unrecoverable when they were abbreviated and no repetition of the end has the recorded digest
 */
export function decodeBytes(form: BytesForm): Buffer {
  const prefix = literal(form);
  const total = form.truncated_total ?? form.len ?? prefix.length;
  if (total <= prefix.length) return prefix;
  for (const whole of guesses(prefix, total)) {
    if (form.sha256 === undefined || sha256(whole) === form.sha256) return whole;
  }
  throw new Unrecoverable(`${total} bytes, of which ${prefix.length} were recorded`);
}

/** The last byte repeated; the same with another last byte; the whole prefix repeated; zeros. */
function* guesses(prefix: Buffer, total: number): Generator<Buffer> {
  const filled = (fill: Buffer | number): Buffer => {
    const whole = Buffer.alloc(total, fill);
    prefix.copy(whole);
    return whole;
  };
  const repeated = filled(prefix.at(-1) ?? 0);
  yield repeated;
  for (const last of Buffer.from('1\n\0x 0')) {
    const whole = Buffer.from(repeated);
    whole[total - 1] = last;
    yield whole;
  }
  if (prefix.length > 0) yield filled(prefix);
  yield filled(0);
}

/** Whether `bytes` are what was recorded, as far as it was written down. */
export function sameBytes(form: BytesForm, bytes: Uint8Array): boolean {
  const prefix = literal(form);
  const total = form.truncated_total ?? form.len ?? prefix.length;
  if (bytes.length !== total || prefix.compare(bytes.subarray(0, prefix.length)) !== 0) return false;
  return form.sha256 === undefined || sha256(bytes) === form.sha256;
}

/** Bytes for a human: text where it is text, hexadecimal otherwise, cut at `limit`. */
export function showBytes(bytes: Uint8Array, limit = 60): string {
  const head = Buffer.from(bytes.subarray(0, limit));
  const text = head.toString('latin1');
  const shown = /^[\t\n\r -~]*$/.test(text) ? text : `hex ${head.toString('hex')}`;
  return bytes.length > limit ? `${shown}... (${bytes.length} bytes)` : shown;
}
