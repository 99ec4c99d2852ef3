/**
 * /dev/fuse as the session sees it: requests come in one by one, replies go out. There are two ways to wait
 * for a request without blocking the event loop, which has to run for replies that come later:
 *
 * * PipeDevice hands the descriptor to the event loop's own poller, by way of the handle that Node has for
 *   pipes. No thread. Node does not export that handle's constructor. Once a request woke it up, and if system
 *   calls can be made directly, it goes on reading until nothing has come for a while.
 * * ReadDevice has a thread of the pool wait in read(2). Public interfaces only, at half the speed.
 *
 * Replies are written synchronously; the kernel never makes a writer of replies wait.
 * @module
 */

import { close, read, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import createDebug from 'debug';
import { Views } from '../lib/views.js';
import { FUSE_MIN_READ_BUFFER } from '../uapi/fuse.js';

const debug = createDebug('mdevfs:fuse');

export interface FuseDevice {
  /**
   * Hands each request to `take`, which must not keep the memory.
   * @returns when the file system was unmounted or the device closed
   */
  receive(take: (message: Buffer) => void): Promise<void>;
  /** Hands over what has come in, now; nothing happens where that cannot be done without waiting. */
  catchUp(): void;
  /** Sends a reply or a notification. A request that its client gave up needs no reply, so that is no fault. */
  send(message: Buffer): void;
  close(): void;
}

/** System calls without what Node puts around them. They return a negative number when they fail. */
export interface DirectCalls {
  read(fd: number, buffer: Buffer, length: number): number;
  write(fd: number, buffer: Buffer, length: number): number;
  /** sched_yield(2): whoever else can run on this processor runs first. */
  yield(): number;
}

/** The way to wait. */
export type Loop = 'pipe' | 'read';

/** So many requests are taken before a look at what else there is to do. */
const DRAINED_AT_ONCE = 64;

/**
 * So often the device is looked at once more before the thread goes to sleep, some 20 microseconds. The next request of
 * a busy client is there by then, and waking up an idle processor costs as much as three answers.
 */
const LOOKS = 30;
/** Milliseconds. When it takes longer than that, others need the processor, and what else there is to do has waited. */
const LONGEST_LOOK = 0.1;

/**
 * Milliseconds. Whoever had the processor for that long in between computes, and is no client of ours. To the scheduler a
 * yield is a turn that was given away: among such programs, one who yields often waits for many of their turns when a
 * request comes. So nothing is yielded for a while.
 */
const FOREIGN_TURN = 1;
const NO_LOOKS = 1000;

/** Room for the longest request, a SETXATTR with a value of 64 KiB. */
const BUFFER_SIZE = Math.max(FUSE_MIN_READ_BUFFER, 128 * 1024);

interface PipeHandle {
  open(fd: number): number | undefined;
  close(done?: () => void): void;
}

type PipeConstructor = new (type: number) => PipeHandle;

/** The constructor of Node's pipe handles, found at a socket that is about to connect to nowhere. */
function pipeConstructor(): PipeConstructor | undefined {
  const socket = new Socket();
  socket.on('error', () => {});
  socket.connect({ path: '/dev/null/nowhere' });
  const handle = (socket as unknown as { _handle?: object })._handle;
  socket.destroy();
  const Handle = handle?.constructor;
  return Handle?.name === 'Pipe' ? (Handle as PipeConstructor) : undefined;
}

/** The better way to wait, as far as this Node has it. */
export function bestLoop(): Loop {
  return pipeConstructor() ? 'pipe' : 'read';
}

/**
 * Takes over a descriptor of /dev/fuse that a file system is mounted on.
 * @param fd opened with O_NONBLOCK for `pipe`, without for `read`
 * @param release has whoever else uses the descriptor let go of it; it is closed after that
 * @param calls used where there are any
 */
export function openDevice(
  fd: number,
  loop: Loop,
  release: () => Promise<void>,
  calls?: DirectCalls,
): FuseDevice {
  return loop === 'pipe' ? new PipeDevice(fd, release, calls) : new ReadDevice(fd, release);
}

/** The file system was unmounted, or its connection aborted. */
function isEnd(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ENODEV' || error.code === 'ECONNABORTED' || error.code === 'ENOTCONN';
}

function send(fd: number, message: Buffer): void {
  try {
    writeSync(fd, message);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENOENT: nobody waits for this reply any more. EINVAL would be a malformed one.
    if (code === 'EINVAL') throw error;
    debug(`reply not taken: ${code}`);
  }
}

class PipeDevice implements FuseDevice {
  readonly #fd: number;
  readonly #release: () => Promise<void>;
  readonly #calls: DirectCalls | undefined;
  #socket: Socket | undefined;
  #take: ((message: Buffer) => void) | undefined;
  /** For {@link catchUp}, while another device's request is being handled. */
  #late: Views | undefined;
  #closed = false;
  /** From when on the processor is yielded again. */
  #looksAgain = 0;

  constructor(fd: number, release: () => Promise<void>, calls?: DirectCalls) {
    this.#fd = fd;
    this.#release = release;
    this.#calls = calls;
  }

  receive(take: (message: Buffer) => void): Promise<void> {
    this.#take = take;
    return new Promise((resolve, reject) => {
      const Pipe = pipeConstructor()!;
      const handle = new Pipe(0);
      handle.open(this.#fd);
      const closeHandle = handle.close.bind(handle);
      handle.close = (done) => void this.#release().finally(() => closeHandle(done));
      // Most requests are as long as another was before.
      const views = new Views(Buffer.allocUnsafe(BUFFER_SIZE));
      const onread = {
        buffer: views.buffer,
        callback: (size: number): boolean => {
          take(views.of(size));
          if (this.#calls) this.#drain(this.#calls, views, take);
          return true;
        },
      };
      let fault: Error | undefined;
      const socket = new Socket({ handle, onread } as object);
      this.#socket = socket;
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (!isEnd(error) && !this.#closed) fault = error;
      });
      socket.on('close', () => {
        this.#closed = true;
        if (fault) reject(fault);
        else resolve();
      });
      socket.resume().read(0);
    });
  }

  /** Takes what comes in while and shortly after the last request is answered. */
  #drain(calls: DirectCalls, views: Views, take: (message: Buffer) => void): void {
    for (let taken = 1; taken < DRAINED_AT_ONCE && !this.#closed; taken++) {
      const size = this.#look(calls, views.buffer);
      // Nothing is there, or the mount is not; the event loop hears of that.
      if (size <= 0) return;
      take(views.of(size));
    }
  }

  catchUp(): void {
    if (!this.#calls || !this.#take) return;
    this.#late ??= new Views(Buffer.allocUnsafe(BUFFER_SIZE));
    while (!this.#closed) {
      const size = this.#calls.read(this.#fd, this.#late.buffer, BUFFER_SIZE);
      if (size <= 0) return;
      this.#take(this.#late.of(size));
    }
  }

  /** @returns length of the next request, negative when none came for a while */
  #look({ read, yield: yieldCpu }: DirectCalls, buffer: Buffer): number {
    let size = read(this.#fd, buffer, BUFFER_SIZE);
    if (size >= 0) return size;
    const start = performance.now();
    if (start < this.#looksAgain) return size;
    const end = start + LONGEST_LOOK;
    let now = start;
    for (let looks = 1; size < 0 && looks < LOOKS && now < end; looks++) {
      // A client on the same processor can only ask when it runs.
      yieldCpu();
      now = performance.now();
      size = read(this.#fd, buffer, BUFFER_SIZE);
    }
    if (now - start > FOREIGN_TURN) this.#looksAgain = now + NO_LOOKS;
    return size;
  }

  send(message: Buffer): void {
    if (this.#closed) return;
    if (this.#calls) this.#calls.write(this.#fd, message, message.length);
    else send(this.#fd, message);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#socket) this.#socket.destroy();
    else closeAfter(this.#release, this.#fd);
  }
}

function closeAfter(release: () => Promise<void>, fd: number): void {
  void release().finally(() => close(fd, () => {}));
}

class ReadDevice implements FuseDevice {
  readonly #fd: number;
  readonly #release: () => Promise<void>;
  #closed = false;

  constructor(fd: number, release: () => Promise<void>) {
    this.#fd = fd;
    this.#release = release;
  }

  receive(take: (message: Buffer) => void): Promise<void> {
    const buffer = Buffer.allocUnsafe(BUFFER_SIZE);
    return new Promise((resolve, reject) => {
      const next = (): void => {
        read(this.#fd, buffer, 0, buffer.length, null, (error, size) => {
          if (this.#closed) return resolve();
          if (error) {
            this.close();
            return isEnd(error) ? resolve() : reject(error);
          }
          take(buffer.subarray(0, size));
          next();
        });
      };
      next();
    });
  }

  catchUp(): void {}

  send(message: Buffer): void {
    if (!this.#closed) send(this.#fd, message);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeAfter(this.#release, this.#fd);
  }
}
