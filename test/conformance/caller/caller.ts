/**
 * A process of its own that makes calls for this one (caller.c): real descriptors, memory and children, in whatever
 * namespaces it was started. The functions of its C library are called as those of this process are.
 *
 * An argument that is a string or bytes is put into its memory for the call. What the call leaves in bytes that are not
 * `const` is put back into them.
 * @module
 */

import { closeSync, openSync, read, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { checkedBy, type Library, type Native, native, ownLibrary } from '../libc/bindings.js';

const checked = checkedBy(ownLibrary);

const GREETING_SIZE = 24;
const REQUEST_HEADER = 64;
const ANSWER_HEADER = 16;
const ARENA_SIZE = 1 << 20;
const ALIGNMENT = 16;
const IOVEC_SIZE = 16;

interface Prototype {
  name: string;
  returns: string;
  parameters: readonly string[];
}

const parsed = new Map<string, Prototype>();

function parse(prototype: string): Prototype {
  const known = parsed.get(prototype);
  if (known) return known;
  const [, type = '', name = '', parameters = ''] = /^(.*?)(\w+)\((.*)\)$/.exec(prototype) ?? [];
  const result = { name, returns: type.trim(), parameters: parameters.split(',').map((text) => text.trim()) };
  parsed.set(prototype, result);
  return result;
}

/** What is put into the arena for a call. */
class Arena {
  readonly #pieces: { at: number; bytes: Uint8Array; back: boolean }[] = [];
  #length = 0;

  constructor(readonly address: bigint) {}

  get length(): number {
    return this.#length;
  }

  /** @returns its address */
  put(bytes: Uint8Array, back: boolean): bigint {
    const at = this.#length;
    this.#length = (at + Math.max(bytes.length, 1) + ALIGNMENT - 1) & -ALIGNMENT;
    if (this.#length > ARENA_SIZE) throw new RangeError('too much for one call');
    this.#pieces.push({ at, bytes, back });
    return this.address + BigInt(at);
  }

  fill(target: Buffer, from: number): void {
    for (const { at, bytes } of this.#pieces) target.set(bytes, from + at);
  }

  /** Whether the call may leave something in it. */
  get comesBack(): boolean {
    return this.#pieces.some(({ back }) => back);
  }

  take(source: Buffer): void {
    for (const { at, bytes, back } of this.#pieces) {
      if (back) bytes.set(source.subarray(at, at + bytes.length));
    }
  }
}

interface Vector {
  base: Uint8Array;
  length: number;
}

/** An argument as the number that is passed. */
function passed(arena: Arena, parameter: string, value: unknown): bigint {
  if (value === null || value === undefined) return 0n;
  if (typeof value === 'bigint') return BigInt.asUintN(64, value);
  if (typeof value === 'number') return BigInt.asUintN(64, BigInt(value));
  const back = !parameter.startsWith('const');
  if (typeof value === 'string') return arena.put(Buffer.from(`${value}\0`), false);
  if (value instanceof Uint8Array) return arena.put(value, back);
  const vectors = value as Vector[];
  const table = Buffer.alloc(vectors.length * IOVEC_SIZE);
  for (const [index, { base, length }] of vectors.entries()) {
    // A vector for reading is constant itself; what it points to is not.
    table.writeBigUInt64LE(arena.put(base, true), index * IOVEC_SIZE);
    table.writeBigUInt64LE(BigInt(length), index * IOVEC_SIZE + 8);
  }
  return arena.put(table, false);
}

function result(returns: string, value: bigint): number | bigint {
  if (returns === 'int') return Number(BigInt.asIntN(32, value));
  if (returns === 'int64_t') return value;
  return BigInt.asUintN(64, value);
}

const directions = ['request', 'answer'] as const;

const fifo = (directory: string, number: number, what: string): string =>
  join(directory, `${number}.${what}`);

/** Node makes no FIFOs. */
const mkfifo = native('int mkfifo(const char *path, uint32_t mode)');

/** What a process opens first. */
export function makeFifos(directory: string, number = 0): void {
  for (const what of directions) checked(mkfifo(fifo(directory, number, what), 0o600));
}

/** One of those processes. */
export class CallerProcess {
  static #last = 0;
  readonly #requests: number;
  readonly #answers: number;
  readonly #arena: bigint;
  readonly #dlsym: bigint;
  readonly #startChild: bigint;
  /** Where functions are, in all of them. */
  readonly #functions: Map<string, bigint>;
  readonly pid: number;
  errno = 0;

  /**
   * @param directory of the FIFOs, for the first one
   * @param parent that it is a child of, and @param pid its number there
   */
  constructor(
    readonly directory: string,
    number = 0,
    readonly parent?: CallerProcess,
    pid?: number,
  ) {
    const path = (what: string): string => fifo(directory, number, what);
    this.#requests = openSync(path('request'), 'w');
    this.#answers = openSync(path('answer'), 'r');
    for (const what of directions) unlinkSync(path(what));
    const greeting = this.#read(GREETING_SIZE);
    this.#arena = greeting.readBigUInt64LE(0);
    this.#dlsym = greeting.readBigUInt64LE(8);
    this.#startChild = greeting.readBigUInt64LE(16);
    this.#functions = parent ? parent.#functions : new Map();
    this.pid = pid ?? Number(this.call('int getpid(void)'));
  }

  call(prototype: string, ...args: unknown[]): number | bigint {
    const parsed = parse(prototype);
    const arena = this.#send(parsed, args);
    const answer = this.#answer(this.#read(ANSWER_HEADER));
    if (answer.out > 0) arena.take(this.#read(answer.out));
    return result(parsed.returns, answer.value);
  }

  /** A call that may take long; nothing else can be asked meanwhile. What it leaves in bytes is not looked at. */
  callLater(prototype: string, ...args: unknown[]): Promise<number | bigint> {
    const parsed = parse(prototype);
    this.#send(parsed, args, false);
    return new Promise((resolve, reject) => {
      const header = Buffer.alloc(ANSWER_HEADER);
      read(this.#answers, header, 0, ANSWER_HEADER, null, (error, length) => {
        if (error || length < ANSWER_HEADER) reject(error ?? new Error('the process is gone'));
        else resolve(result(parsed.returns, this.#answer(header).value));
      });
    });
  }

  #send(prototype: Prototype, args: readonly unknown[], back = true): Arena {
    const arena = new Arena(this.#arena);
    const numbers = args.map((value, index) => passed(arena, prototype.parameters[index] ?? '', value));
    this.#request(this.#function(prototype.name), numbers, arena, back);
    return arena;
  }

  #request(address: bigint, args: readonly bigint[], arena: Arena, back: boolean): void {
    const request = Buffer.alloc(REQUEST_HEADER + arena.length);
    request.writeUInt32LE(arena.length, 0);
    request.writeUInt32LE(back && arena.comesBack ? arena.length : 0, 4);
    request.writeBigUInt64LE(address, 8);
    for (const [index, value] of args.entries()) request.writeBigUInt64LE(value, 16 + 8 * index);
    arena.fill(request, REQUEST_HEADER);
    for (let done = 0; done < request.length; ) done += writeSync(this.#requests, request, done);
  }

  #answer(header: Buffer): { value: bigint; out: number } {
    this.errno = header.readUInt32LE(8);
    return { value: header.readBigInt64LE(0), out: header.readUInt32LE(12) };
  }

  #function(name: string): bigint {
    const known = this.#functions.get(name);
    if (known !== undefined) return known;
    const arena = new Arena(this.#arena);
    this.#request(this.#dlsym, [0n, arena.put(Buffer.from(`${name}\0`), false)], arena, false);
    const { value } = this.#answer(this.#read(ANSWER_HEADER));
    if (value === 0n) throw new Error(`no function ${name}`);
    this.#functions.set(name, value);
    return value;
  }

  /** A child with the same files and a copy of the memory. */
  fork(): CallerProcess {
    const number = ++CallerProcess.#last;
    makeFifos(this.directory, number);
    this.#request(this.#startChild, [BigInt(number)], new Arena(this.#arena), false);
    const { value } = this.#answer(this.#read(ANSWER_HEADER));
    return new CallerProcess(this.directory, number, this, Number(value));
  }

  /**
   * Ends the process.
   * @returns its status, as waitpid(2) has it; undefined for the first process
   */
  end(): number | undefined {
    closeSync(this.#requests);
    closeSync(this.#answers);
    return this.wait();
  }

  /** Waits for its end. */
  wait(): number | undefined {
    const status = Buffer.alloc(4);
    this.parent?.call('int waitpid(int pid, void *status, int options)', this.pid, status, 0);
    return this.parent && status.readInt32LE(0);
  }

  #read(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const got = readSync(this.#answers, bytes, done, length - done, null);
      if (got === 0) throw new Error('the process is gone');
      done += got;
    }
    return bytes;
  }
}

/** The library of one process after another: calls are made by the one that is chosen. */
export class ChosenLibrary implements Library {
  constructor(public process: CallerProcess) {}

  get errno(): number {
    return this.process.errno;
  }

  native(prototype: string): Native {
    return (...args) => this.process.call(prototype, ...args);
  }
}
