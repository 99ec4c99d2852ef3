/**
 * The memory of a thread that waits for an answer of this program (process_vm_readv(2), process_vm_writev(2)). While it
 * waits it cannot end, so its number is its own; afterwards nothing is known of whose the number is.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { FixedMemory, NativeCalls, NativeFunction } from './native.js';

const SCRATCH_SIZE = 64 * 1024;
const IOVEC_SIZE = 16;

export class ProcessVm {
  readonly #scratch: FixedMemory;
  readonly #local = Buffer.alloc(IOVEC_SIZE);
  readonly #remote = Buffer.alloc(IOVEC_SIZE);
  readonly #readv: NativeFunction;
  readonly #writev: NativeFunction;

  constructor(calls: NativeCalls) {
    this.#scratch = calls.allocate(SCRATCH_SIZE);
    const rest =
      'int pid, void *local, unsigned long locals, void *remote, unsigned long remotes, long flags';
    this.#readv = calls.bind(`long process_vm_readv(${rest})`);
    this.#writev = calls.bind(`long process_vm_writev(${rest})`);
    this.#local.writeBigUInt64LE(this.#scratch.address, 0);
  }

  /** @throws EFAULT when a byte of it is not mapped, or may not be read */
  read(thread: number, address: bigint, length: number): Buffer {
    const target = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const size = Math.min(length - done, SCRATCH_SIZE);
      this.#copy(this.#readv, thread, address + BigInt(done), size);
      this.#scratch.bytes.copy(target, done, 0, size);
      done += size;
    }
    return target;
  }

  /** @throws EFAULT when a byte of it is not mapped, or may not be written; what precedes it is written */
  write(thread: number, address: bigint, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const piece = bytes.subarray(done, done + SCRATCH_SIZE);
      this.#scratch.bytes.set(piece);
      this.#copy(this.#writev, thread, address + BigInt(done), piece.length);
      done += piece.length;
    }
  }

  #copy(call: NativeFunction, thread: number, address: bigint, size: number): void {
    this.#remote.writeBigUInt64LE(BigInt.asUintN(64, address), 0);
    this.#remote.writeUInt32LE(size, 8);
    this.#local.writeUInt32LE(size, 8);
    if (Number(call(thread, this.#local, 1, this.#remote, 1, 0)) !== size)
      throw new KernelError(Errno.EFAULT);
  }
}
