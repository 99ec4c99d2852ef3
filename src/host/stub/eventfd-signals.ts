/**
 * Adding to an eventfd as a device does (eventfd_signal of fs/eventfd.c): a counter at its end stays there, and nobody
 * waits. write(2) waits for a reader then, unless the client chose otherwise, and its choice is for all who have the file.
 *
 * The kernel does it by itself at the end of a request of its asynchronous I/O (io_submit(2), IOCB_FLAG_RESFD), here a
 * read of no bytes. Where that is not to be had, a stub writes.
 * @module
 */

import { asleep } from '../../lib/sleep.js';
import type { NativeCalls, NativeFunction } from '../native.js';
import { Stub } from './stub.js';
import type { Client, Stubs } from './stubs.js';
import { SYS, SYS_PIDFD_GETFD } from './system-calls.js';

const MFD_CLOEXEC = 1;
/** Requests whose end is to be fetched, so that there is room for more. */
const ROOM = 64;
const EVENT_SIZE = 32;
// linux/aio_abi.h
const IOCB_SIZE = 64;
const IOCB_CMD_PREAD = 0;
const IOCB_FLAG_RESFD = 1;

export class EventfdSignals {
  readonly #syscall: NativeFunction;
  /** A file of no bytes. */
  readonly #nothing: number;
  readonly #iocb: Buffer;
  /** A pointer to that. */
  readonly #iocbs: bigint;
  readonly #events: bigint;
  readonly #context: bigint | undefined;
  #pending = 0;

  constructor(
    native: NativeCalls,
    readonly stubs: Stubs,
  ) {
    this.#syscall = native.bind(
      'int64_t syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e)',
    );
    const memfd = native.bind('int memfd_create(const char *name, unsigned int flags)');
    this.#nothing = native.checked('memfd_create', memfd('mdevfs-nothing', MFD_CLOEXEC));
    const memory = native.allocate(IOCB_SIZE + 16 + ROOM * EVENT_SIZE);
    const [iocb, pointer] = [memory.bytes.subarray(0, IOCB_SIZE), memory.bytes.subarray(IOCB_SIZE)];
    iocb.fill(0);
    iocb.writeUInt16LE(IOCB_CMD_PREAD, 16);
    iocb.writeUInt32LE(this.#nothing, 20);
    iocb.writeUInt32LE(IOCB_FLAG_RESFD, 56);
    this.#iocb = iocb;
    this.#iocbs = memory.address + BigInt(IOCB_SIZE);
    this.#events = this.#iocbs + 16n;
    pointer.writeBigUInt64LE(memory.address, 0);
    pointer.writeBigUInt64LE(0n, 8);
    const made = this.#syscall(SYS.ioSetup, ROOM, this.#iocbs + 8n, 0, 0, 0);
    this.#context = Number(made) === 0 ? pointer.readBigUInt64LE(8) : undefined;
  }

  /** @param fd ours; @param client whose eventfd it is */
  signal(fd: number, client: Client): void {
    if (this.#context === undefined) this.#write(fd, client);
    else this.#submit(fd, this.#context);
  }

  #submit(fd: number, context: bigint): void {
    if (this.#pending >= ROOM) {
      // They have all ended.
      this.#syscall(SYS.ioGetevents, context, 0, ROOM, this.#events, 0);
      this.#pending = 0;
    }
    this.#iocb.writeUInt32LE(fd, 60);
    this.#syscall(SYS.ioSubmit, context, 1, this.#iocbs, 0, 0);
    this.#pending++;
  }

  #write(fd: number, client: Client): void {
    const writing = this.stubs.use(client, undefined, async (stub, patience) => {
      const copy = await stub.call(patience, SYS_PIDFD_GETFD, stub.daemon, fd, 0);
      if (copy < 0) return;
      stub.data.writeBigUInt64LE(1n);
      await stub.call(patience, SYS.write, copy, Stub.DATA, 8);
      await stub.call(patience, SYS.close, copy);
    });
    if (asleep(writing)) writing.catch(() => {});
  }
}
