/**
 * Compares what a system call gave with what was recorded. Results keep the recordings' JSON shape, with one
 * difference: bytes are a Uint8Array and match any of the forms that bytes are written in.
 * @module
 */

import { type BytesForm, isBytesForm, sameBytes, showBytes } from './data.js';

/** What a step gave: a result, or an errno and, for composed operations, the call that failed. */
export interface Outcome {
  ret?: unknown;
  errno?: string;
  at?: string;
  /** Said instead of a result when the step could not be carried out at all. */
  unsupported?: string;
  /** For ioctl: the caller's structure afterwards. */
  out?: Uint8Array;
}

export function sameValue(expected: unknown, got: unknown): boolean {
  if (got instanceof Uint8Array) return isBytesForm(expected) && sameBytes(expected, got);
  if (typeof expected !== 'object' || expected === null) return expected === (got ?? null);
  if (typeof got !== 'object' || got === null) return false;
  if (Array.isArray(expected)) {
    if (!Array.isArray(got) || got.length !== expected.length) return false;
    return expected.every((item, index) => sameValue(item, got[index]));
  }
  const keys = Object.keys(expected);
  if (Object.keys(got).length !== keys.length) return false;
  return keys.every((key) =>
    sameValue((expected as Record<string, unknown>)[key], (got as Record<string, unknown>)[key]),
  );
}

export function sameOutcome(expected: Outcome, got: Outcome): boolean {
  if (got.unsupported !== undefined) return false;
  if (expected.errno !== undefined || got.errno !== undefined) {
    return expected.errno === got.errno && (expected.at === undefined || expected.at === got.at);
  }
  return sameValue(expected.ret ?? null, got.ret);
}

/** A value in one short line. */
export function show(value: unknown, limit = 160): string {
  // The holder is asked for the value again: a Buffer reaches the replacer as its own JSON form.
  const text = JSON.stringify({ value }, function (this: Record<string, unknown>, key) {
    const part = this[key];
    if (part instanceof Uint8Array) return showBytes(part);
    return isBytesForm(part) ? showForm(part) : part;
  });
  const line = value === undefined ? 'nothing' : text.slice('{"value":'.length, -1);
  return line.length > limit ? `${line.slice(0, limit)}...` : line;
}

function showForm(form: BytesForm): string {
  const text = form.s === undefined ? `hex ${form.hex}` : form.s;
  return form.truncated_total === undefined ? text : `${text.slice(0, 8)}... (${form.truncated_total} bytes)`;
}

export function showOutcome(outcome: Outcome): string {
  if (outcome.unsupported !== undefined) return outcome.unsupported;
  if (outcome.errno !== undefined) return outcome.at ? `${outcome.errno} at ${outcome.at}` : outcome.errno;
  return show(outcome.ret ?? null);
}

/** The first place where two results differ, said as a path into them. */
export function difference(expected: unknown, got: unknown, where = ''): string | undefined {
  if (sameValue(expected, got)) return undefined;
  const plain = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !isBytesForm(value);
  if (!plain(expected) || !plain(got))
    return `${where || 'value'}: expected ${show(expected)}; got ${show(got)}`;
  const keys = new Set([...Object.keys(expected), ...Object.keys(got)]);
  for (const key of keys) {
    const found = difference(
      (expected as Record<string, unknown>)[key],
      (got as Record<string, unknown>)[key],
      where ? `${where}.${key}` : key,
    );
    if (found) return found;
  }
  return undefined;
}
