/**
 * What one recorded operation is made of, and the small compositions of system calls they share.
 * @module
 */

import { andThen, asleep, type Sleeps } from '../../../src/lib/sleep.js';
import type { Outcome } from '../compare.js';
import { type BytesForm, decodeBytes } from '../data.js';
import { O_DIRECTORY, O_NONBLOCK, O_RDONLY } from '../flags.js';
import type { Step } from '../recording.js';
import type { Run } from '../run.js';
import type { Sys } from '../sys.js';

/** A step with its arguments: by name in `args`, or in order in `list`. */
export interface Operands {
  step: Step;
  args: Readonly<Record<string, unknown>>;
  list: readonly unknown[];
}

/** Gives the step's result in the recordings' form; an errno is thrown. */
export type Operation = (run: Run, operands: Operands) => Sleeps<unknown>;

export type Operations = Readonly<Record<string, Operation>>;

/** A result that the recording holds beside `ret`. */
export class WithOut {
  constructor(
    readonly ret: unknown,
    readonly out: Uint8Array | undefined,
  ) {}
}

/** A failure after which the recording holds the caller's structure too. */
export class FailedWithOut extends Error {
  constructor(
    readonly error: unknown,
    readonly out: Uint8Array | undefined,
  ) {
    super('with a structure');
  }
}

/** A failure of one of the calls that an operation is composed of. */
export class FailedAt extends Error {
  constructor(
    readonly at: NonNullable<Outcome['at']>,
    readonly error: unknown,
  ) {
    super(`at ${at}`);
  }
}

export const pathOf = ({ args, list }: Operands): string => String(args.path ?? list[0]);

export const bytesOf = (form: unknown): Buffer => decodeBytes(form as BytesForm);

export const DIRENTS_SIZE = 32768;

/** Everything from the present offset to the end. */
export function readAll(sys: Sys, fd: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let piece = sys.read(fd, 65536); piece.length > 0; piece = sys.read(fd, 65536)) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

export function readFile(sys: Sys, path: string): Uint8Array {
  const fd = sys.open(path, O_RDONLY);
  try {
    return readAll(sys, fd);
  } finally {
    sys.close(fd);
  }
}

export const readText = (sys: Sys, path: string): string =>
  Buffer.from(readFile(sys, path)).toString('latin1');

/** open, write, close. @throws FailedAt */
export function writeFile(sys: Sys, path: string, flags: number, data: Uint8Array): Sleeps<number> {
  const at =
    (name: string) =>
    (error: unknown): never => {
      throw new FailedAt(name, error);
    };
  const attempt = <T>(name: string, call: () => T): T => {
    try {
      return call();
    } catch (error) {
      return at(name)(error);
    }
  };
  const fd = attempt('open', () => sys.open(path, flags, 0o666));
  const write = (): Sleeps<number> => {
    const written = attempt('write', () => sys.write(fd, data));
    return asleep(written) ? written.catch(at('write')) : written;
  };
  return andThen(write, () => sys.close(fd));
}

/** The entries of an open directory in its order, without `.` and `..`. */
export function entriesOf(sys: Sys, fd: number): { name: string; type: number }[] {
  const entries: { name: string; type: number }[] = [];
  for (;;) {
    const some = sys.getdents64(fd, DIRENTS_SIZE);
    if (some.length === 0) return entries.filter(({ name }) => name !== '.' && name !== '..');
    entries.push(...some);
  }
}

export function readDirectory(sys: Sys, path: string): { name: string; type: number }[] {
  const fd = sys.open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
  try {
    return entriesOf(sys, fd);
  } finally {
    sys.close(fd);
  }
}

export const namesIn = (sys: Sys, path: string): string[] => readDirectory(sys, path).map(({ name }) => name);
