/**
 * The memory of a thread that waits for an answer of this program (process_vm_readv(2), process_vm_writev(2)). While it
 * waits it cannot end, so its number is its own; afterwards nothing is known of whose the number is.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { Views } from '../lib/views.js';
import type { NativeCalls, NativeFunction } from './native.js';

const SCRATCH_SIZE = 64 * 1024;
/** struct iovec in words of 32 bits: an address and a length, of two words each. */
const IOVEC_WORDS = 4;
const IOVEC_SIZE = 16;
const TWO32 = 2 ** 32;

export class ProcessVm {
  readonly #scratch: Views;
  /** Two struct iovec: the scratch memory, and that of the other process. */
  readonly #iovecs: Uint32Array;
  /** Addresses of the two. */
  readonly #local: number;
  readonly #remote: number;
  readonly #readv: NativeFunction;
  readonly #writev: NativeFunction;

  constructor(calls: NativeCalls) {
    const scratch = calls.allocate(SCRATCH_SIZE);
    const iovecs = calls.allocate(2 * IOVEC_SIZE);
    this.#scratch = new Views(scratch.bytes);
    this.#iovecs = new Uint32Array(iovecs.bytes.buffer, iovecs.bytes.byteOffset, 2 * IOVEC_WORDS);
    this.#local = Number(iovecs.address);
    this.#remote = this.#local + IOVEC_SIZE;
    iovecs.bytes.fill(0).writeBigUInt64LE(scratch.address);
    // Addresses are numbers here: passing a buffer takes koffi twice as long as the call itself.
    const rest = 'int pid, int64_t local, int64_t locals, int64_t remote, int64_t remotes, int64_t flags';
    this.#readv = calls.bind(`int64_t process_vm_readv(${rest})`);
    this.#writev = calls.bind(`int64_t process_vm_writev(${rest})`);
  }

  /** @throws EFAULT when a byte of it is not mapped, or may not be read */
  read(thread: number, address: number, length: number): Buffer {
    const target = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const size = Math.min(length - done, SCRATCH_SIZE);
      this.#copy(this.#readv, thread, address + done, size);
      target.set(this.#scratch.of(size), done);
      done += size;
    }
    return target;
  }

  /** @throws EFAULT when a byte of it is not mapped, or may not be written; what precedes it is written */
  write(thread: number, address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const size = Math.min(bytes.length - done, SCRATCH_SIZE);
      this.#scratch.buffer.set(size === bytes.length ? bytes : bytes.subarray(done, done + size));
      this.#copy(this.#writev, thread, address + done, size);
      done += size;
    }
  }

  #copy(call: NativeFunction, thread: number, address: number, size: number): void {
    const iovecs = this.#iovecs;
    // Of an address beyond what a number holds exactly, no process has memory.
    if (address > Number.MAX_SAFE_INTEGER) throw new KernelError(Errno.EFAULT);
    iovecs[2] = size;
    iovecs[IOVEC_WORDS] = address;
    iovecs[IOVEC_WORDS + 1] = Math.floor(address / TWO32);
    iovecs[IOVEC_WORDS + 2] = size;
    if (call(thread, this.#local, 1, this.#remote, 1, 0) !== size) throw new KernelError(Errno.EFAULT);
  }
}
