/**
 * Adding to an eventfd as a device does (eventfd_signal of fs/eventfd.c): a counter at its end stays there, and nobody
 * waits. write(2) waits for a reader then, unless the client chose otherwise, and its choice is for all who have the file.
 *
 * The kernel does it by itself at the end of a request of its asynchronous I/O (io_submit(2), IOCB_FLAG_RESFD), here a
 * read of no bytes. Where that is not to be had, a stub writes.
 * @module
 */

import { openSync, statSync } from 'node:fs';
import { asleep } from '../../lib/sleep.js';
import type { NativeCalls, NativeFunction } from '../native.js';
import { Stub } from './stub.js';
import type { Client, Stubs } from './stubs.js';
import { SYS, SYS_PIDFD_GETFD } from './system-calls.js';

const MFD_CLOEXEC = 1;
const NULL_RDEV = 0x103;
/** Requests whose end is to be fetched, so that there is room for more. */
const ROOM = 64;
const EVENT_SIZE = 32;
// linux/aio_abi.h
const IOCB_SIZE = 64;
const IOCB_RESFD = 60;
const IOCB_CMD_PREAD = 0;
const IOCB_FLAG_RESFD = 1;

export class EventfdSignals {
  readonly #syscall: NativeFunction;
  readonly #submit: NativeFunction;
  /** A file that no bytes are read from. */
  readonly #nothing: number;
  readonly #iocb: Buffer;
  /** A pointer to that. */
  readonly #iocbs: number;
  readonly #events: number;
  readonly #context: number | undefined;
  #pending = 0;
  /** What the request names now. */
  #fd = -1;

  constructor(
    native: NativeCalls,
    readonly stubs: Stubs,
  ) {
    this.#syscall = native.bind(
      'int64_t syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e)',
    );
    // With as few arguments as it takes.
    this.#submit = native.bind('int syscall(long number, long context, long count, long iocbs)');
    this.#nothing = openNothing(native);
    const memory = native.allocate(IOCB_SIZE + 16 + ROOM * EVENT_SIZE);
    const [iocb, pointer] = [memory.bytes.subarray(0, IOCB_SIZE), memory.bytes.subarray(IOCB_SIZE)];
    iocb.fill(0);
    iocb.writeUInt16LE(IOCB_CMD_PREAD, 16);
    iocb.writeUInt32LE(this.#nothing, 20);
    iocb.writeUInt32LE(IOCB_FLAG_RESFD, 56);
    this.#iocb = iocb;
    // Numbers: koffi takes longer with bigints.
    this.#iocbs = Number(memory.address) + IOCB_SIZE;
    this.#events = this.#iocbs + 16;
    pointer.writeBigUInt64LE(memory.address, 0);
    pointer.writeBigUInt64LE(0n, 8);
    const made = this.#syscall(SYS.ioSetup, ROOM, this.#iocbs + 8, 0, 0, 0);
    this.#context = Number(made) === 0 ? Number(pointer.readBigUInt64LE(8)) : undefined;
  }

  /** @param fd ours; @param client whose eventfd it is */
  signal(fd: number, client: Client): void {
    const context = this.#context;
    if (context === undefined) {
      this.#write(fd, client);
      return;
    }
    if (this.#pending === ROOM) {
      // They have all ended.
      this.#syscall(SYS.ioGetevents, context, 0, ROOM, this.#events, 0);
      this.#pending = 0;
    }
    this.#pending++;
    if (this.#fd !== fd) this.#iocb.writeUInt32LE(fd, IOCB_RESFD);
    this.#fd = fd;
    this.#submit(SYS.ioSubmit, context, 1, this.#iocbs);
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

/** The file that is read in the shortest time, where it is what it is called: /dev/null. Otherwise one of our own. */
function openNothing(native: NativeCalls): number {
  const stat = statSync('/dev/null', { throwIfNoEntry: false });
  if (stat?.isCharacterDevice() && stat.rdev === NULL_RDEV) return openSync('/dev/null', 'r');
  const memfd = native.bind('int memfd_create(const char *name, unsigned int flags)');
  return native.checked('memfd_create', memfd('mdevfs-nothing', MFD_CLOEXEC));
}
