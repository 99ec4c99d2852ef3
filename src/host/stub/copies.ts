/**
 * Copies from and to the memory of clients, done by stubs: a page of it may be in a file system that does not answer, or
 * with a userfaultfd(2) that nobody serves.
 * @module
 */

import { Errno, KernelError } from '../../lib/errno.js';
import { asleep } from '../../lib/sleep.js';
import { CALL_MEMORY } from './program.js';
import type { Restarts } from './restart.js';
import { Stub } from './stub.js';
import type { Client, Stubs } from './stubs.js';
import { SYS, SYS_PIDFD_GETFD } from './system-calls.js';

/** The memory of a thread that waits for this program, as it may use it itself (process_vm_readv(2)). */
export interface ThreadMemory {
  readonly client: Client;
  readonly thread: number;
}

/** The memory behind an open file /proc/PID/mem of this program, as a device may use it. */
export interface MemoryFile {
  readonly client: Client;
  readonly fd: number;
}

export type ClientMemory = ThreadMemory | MemoryFile;

type Call = readonly [number: number, args: readonly (number | bigint)[]];

/** Two struct iovec: where copies pass through, and the client's memory. */
const LOCAL_IOVEC = CALL_MEMORY;
const REMOTE_IOVEC = LOCAL_IOVEC + 16;
/** Files of this program that a stub keeps open. */
const MOST_FILES = 16;

export class Copies {
  constructor(
    readonly stubs: Stubs,
    readonly restarts: Restarts,
  ) {}

  /** @throws EFAULT when a byte of it is not there, or may not be read */
  read(memory: ClientMemory, address: number | bigint, target: Uint8Array): void {
    for (let done = 0; done < target.length; ) {
      const size = Math.min(target.length - done, Stub.DATA_SIZE);
      const [at, from] = [plus(address, done), done];
      const bytes: Uint8Array = this.#do<Uint8Array>(memory, () => `read ${nameOf(memory)} ${at} ${size}`, {
        call: [reads(memory), at, size],
        take: (stub, result) => stub.data.subarray(0, checked(memory, result, size)),
        copy: () => Buffer.from(target.subarray(from, from + bytes.length)),
      });
      if (bytes.length === 0) throw new KernelError(Errno.EFAULT);
      target.set(bytes, done);
      done += bytes.length;
    }
  }

  /** @throws EFAULT when a byte of it is not there, or may not be written; what precedes it is written */
  write(memory: ClientMemory, address: number | bigint, bytes: Uint8Array): void {
    this.restarts.writes();
    for (let done = 0; done < bytes.length; ) {
      const piece = bytes.subarray(done, done + Stub.DATA_SIZE);
      const [at, size] = [plus(address, done), piece.length];
      const count = this.#do(memory, () => `write ${nameOf(memory)} ${at} ${size}`, {
        call: [writes(memory), at, size],
        take: (_, result) => checked(memory, result, size),
        bytes: piece,
      });
      if (count === 0) throw new KernelError(Errno.EFAULT);
      done += count;
    }
  }

  /** Brings memory in, and leaves it as it is. @throws EFAULT when a byte of it is not there */
  touch(memory: MemoryFile, address: bigint, length: number): void {
    for (let done = 0; done < length; ) {
      const size = Math.min(length - done, Stub.DATA_SIZE);
      const at = address + BigInt(done);
      const count = this.#do(memory, () => `touch ${memory.fd} ${at} ${size}`, {
        call: [SYS.pread64, at, size],
        take: (_, result) => checked(memory, result, size),
        keep: true,
      });
      if (count === 0) throw new KernelError(Errno.EFAULT);
      done += count;
    }
  }

  /** Whether nothing of the memory is left, since its process has ended or become another program. */
  isGone(memory: MemoryFile): boolean {
    // Nothing is ever mapped there. Of memory that is gone, a read ends before that is looked at.
    const nowhere = 0x7fff_ffff_ffff_f000n;
    return this.#do(memory, () => `gone ${memory.fd}`, {
      call: [SYS.pread64, nowhere, 1],
      take: (_, result) => result === 0,
    });
  }

  /** Has a stub make one copy, or what is like it. */
  #do<T>(memory: ClientMemory, what: () => string, { call, take, bytes, keep, copy }: OneCopy<T>): T {
    const { stubs, restarts } = this;
    const { client } = memory;
    const prepare = (stub: Stub): Call => {
      if (bytes) stub.data.set(bytes);
      return prepared(stub, memory, ...call);
    };
    return restarts.wait<T>(what, {
      begin: (late) =>
        stubs.use(client, restarts.thread, (stub, patience) => {
          const [number, args] = prepare(stub);
          const result = stub.call(patience, number, ...args);
          if (asleep(result)) return result.then((value) => kept(take(stub, value)));
          return patience > 0 && !late ? take(stub, result) : kept(take(stub, result));
        }),
      insist: () =>
        stubs.insist(
          client,
          (stub) => stub.ask(...prepare(stub)),
          (stub, result) => kept(take(stub, result)),
        ),
      ...(keep ? { keep } : {}),
      ...(copy ? { copy } : {}),
    });
  }
}

/** A copy that a stub makes in one call. */
interface OneCopy<T> {
  readonly call: readonly [number: number, address: number | bigint, size: number];
  /** Makes something of the result while the stub is ours. */
  take(stub: Stub, result: number): T;
  /** What is copied to the client. */
  readonly bytes?: Uint8Array;
  /** See {@link Awaited}. */
  readonly keep?: boolean;
  copy?(): T;
}

/** Of its own, where it outlives the call. */
const kept = <T>(value: T): T => (value instanceof Uint8Array ? (Buffer.from(value) as unknown as T) : value);

const isFile = (memory: ClientMemory): memory is MemoryFile => 'fd' in memory;
const nameOf = (memory: ClientMemory): string =>
  isFile(memory) ? `file ${memory.fd}` : `thread ${memory.thread}`;
const reads = (memory: ClientMemory): number => (isFile(memory) ? SYS.pread64 : SYS.processVmReadv);
const writes = (memory: ClientMemory): number => (isFile(memory) ? SYS.pwrite64 : SYS.processVmWritev);

function plus(address: number | bigint, offset: number): number | bigint {
  return typeof address === 'bigint' ? address + BigInt(offset) : address + offset;
}

/** The other way ends at once where a byte is missing. @throws EFAULT */
function checked(memory: ClientMemory, result: number, size: number): number {
  if (result < 0 || (!isFile(memory) && result !== size)) throw new KernelError(Errno.EFAULT);
  return result;
}

function prepared(
  stub: Stub,
  memory: ClientMemory,
  number: number,
  address: number | bigint,
  size: number,
): Call {
  if (isFile(memory)) return [number, [fileOf(stub, memory), Stub.DATA, size, address]];
  putIovec(stub, LOCAL_IOVEC, Stub.DATA, size);
  putIovec(stub, REMOTE_IOVEC, address, size);
  return [number, [memory.thread, stub.addressOf(LOCAL_IOVEC), 1, stub.addressOf(REMOTE_IOVEC), 1, 0]];
}

function putIovec(stub: Stub, at: number, address: number | bigint, size: number): void {
  stub.words.setBigUint64(at, BigInt.asUintN(64, BigInt(address)), true);
  stub.words.setUint32(at + 8, size, true);
  stub.words.setUint32(at + 12, 0, true);
}

/** The stub's descriptor of a file of this program. */
function fileOf(stub: Stub, memory: MemoryFile): number {
  const known = stub.files.get(memory);
  if (known !== undefined) return known;
  const fd = stub.must(SYS_PIDFD_GETFD, stub.daemon, memory.fd, 0);
  stub.files.set(memory, fd);
  if (stub.files.size > MOST_FILES) {
    const [oldest, oldFd] = stub.files.entries().next().value!;
    stub.files.delete(oldest);
    stub.must(SYS.close, oldFd);
  }
  return fd;
}
