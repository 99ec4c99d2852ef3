/**
 * System calls that Node has no function for, by way of the optional package koffi.
 * @module
 */

import { getSystemErrorName } from 'node:util';
import type { DirectCalls } from '../fuse/device.js';

type Native = (...args: unknown[]) => number;

export interface NativeFunction extends Native {
  /** The same on a thread of the pool. */
  async(...args: unknown[]): void;
}

interface Koffi {
  load(library: string): { func(prototype: string): NativeFunction };
  errno(): number;
  alloc(type: string, length: number): object;
  address(pointer: object): bigint;
  view(pointer: object | bigint, length: number): ArrayBuffer;
}

/** Memory at an address that never changes, for structures that point to it. */
export interface FixedMemory {
  readonly address: bigint;
  readonly bytes: Buffer;
}

export class NativeCalls {
  readonly #koffi: Koffi;
  readonly #library: ReturnType<Koffi['load']>;
  readonly direct: DirectCalls;

  private constructor(koffi: Koffi) {
    this.#koffi = koffi;
    this.#library = koffi.load('libc.so.6');
    this.direct = {
      read: this.bind('int64_t read(int fd, void *buffer, size_t length)'),
      write: this.bind('int64_t write(int fd, const void *buffer, size_t length)'),
      yield: this.bind('int sched_yield(void)'),
    };
  }

  /** @throws Error of one line that says what is missing */
  static async load(): Promise<NativeCalls> {
    const name: string = 'koffi';
    try {
      return new NativeCalls(((await import(name)) as { default: Koffi }).default);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND')
        throw new Error('the package koffi is not installed');
      throw new Error(`koffi does not load: ${message.split('\n')[0]}`);
    }
  }

  /** @param prototype in C, such as `int close(int fd)` */
  bind(prototype: string): NativeFunction {
    return this.#library.func(prototype);
  }

  /** Memory that stays where it is until the program ends. */
  allocate(length: number): FixedMemory {
    const pointer = this.#koffi.alloc('uint8_t', length);
    return { address: BigInt(this.#koffi.address(pointer)), bytes: this.viewOf(pointer, length) };
  }

  /** What is at an address; whoever maps it has to keep it there as long as the buffer is used. */
  viewOf(pointer: object | bigint, length: number): Buffer {
    return Buffer.from(this.#koffi.view(pointer, length));
  }

  /** The errno of the last call that failed. */
  get errno(): number {
    return this.#koffi.errno();
  }

  /** @throws Error that names the call and its errno, when the result is negative */
  checked(call: string, result: number): number {
    if (result < 0) throw new Error(`${call}: ${getSystemErrorName(-this.#koffi.errno())}`);
    return result;
  }
}
