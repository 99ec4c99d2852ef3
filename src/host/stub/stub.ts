/**
 * A process that makes system calls in place of the daemon's main thread, for those that an object of a client can make
 * wait: memory whose pages do not come, a file of a file system that does not answer. It is a process and not a thread,
 * since whoever waits in there cannot be told to stop, only killed.
 *
 * Whoever has a stub asks for one call at a time, and waits for it for a moment, which nearly always suffices, or hears of
 * it from the event loop.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, ftruncateSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { pid as ownPid } from 'node:process';
import type { Sleeps } from '../../lib/sleep.js';
import { CALL_DATA, CALL_RESULT, SHARED_ADDRESS, SHARED_SIZE } from './program.js';
import { MFD_CLOEXEC, type StubCalls } from './stub-calls.js';
import { PR_SET_NAME, PR_SET_PDEATHSIG, SIGKILL, SYS, SYS_PIDFD_OPEN } from './system-calls.js';

const O_CLOEXEC = 0o2000000;
const POLLIN = 1;
const TWO32 = 2 ** 32;
/** So often an answer is looked for before this thread goes to sleep. */
const LOOKS = 10;
const ONE = Buffer.from([1]);
const NO_START = 'no stub starts; vm.memfd_noexec must not be 2, sysctl -w vm.memfd_noexec=1';

/** The stub is no more, before it answered. */
export class StubGone extends Error {}

export class Stub {
  /** Where what is copied passes through, and the address that it has in the stub. */
  readonly data: Buffer;
  static readonly DATA = SHARED_ADDRESS + CALL_DATA;
  static readonly DATA_SIZE = SHARED_SIZE - CALL_DATA;
  /** A descriptor of the stub that stands for this program. */
  daemon = -1;
  /** Descriptors that the stub has of files of this program, by the file; the oldest first. */
  readonly files = new Map<object, number>();
  readonly #calls: StubCalls;
  readonly #child: ChildProcess;
  readonly #words: DataView;
  readonly #ask: number;
  readonly #answer: number;
  readonly #pollfd = Buffer.alloc(8);
  readonly #taken = Buffer.alloc(1);
  #socket: Socket | undefined;
  #later: { resolve: (result: number) => void; reject: (error: Error) => void } | undefined;
  #killed = false;
  #asked = false;
  #gone = false;

  /** @throws Error of one line when it cannot be started */
  constructor(calls: StubCalls) {
    this.#calls = calls;
    const { native } = calls;
    const shared = native.checked('memfd_create', calls.memfd('mdevfs-stub-memory', MFD_CLOEXEC));
    const [asked, ask] = this.#pipe();
    const [answer, answered] = this.#pipe();
    this.#ask = ask;
    this.#answer = answer;
    try {
      ftruncateSync(shared, SHARED_SIZE);
      const memory = calls.share(shared);
      this.#words = new DataView(memory.buffer, memory.byteOffset, CALL_DATA);
      this.data = memory.subarray(CALL_DATA);
      this.#child = spawn(`/proc/self/fd/${calls.program}`, [], {
        argv0: 'mdevfs-stub',
        cwd: '/',
        env: {},
        // In a session of its own: what a terminal tells the daemon is not for it.
        detached: true,
        stdio: [asked, answered, 'ignore', shared],
      });
    } finally {
      for (const fd of [asked, answered, shared]) closeSync(fd);
    }
    // The reason comes later, and there is one that is not a fault.
    this.#child.on('error', () => this.#ended());
    if (this.#child.pid === undefined) throw new Error(NO_START);
    this.#child.on('exit', () => this.#ended());
    this.#child.unref();
    this.#pollfd.writeInt32LE(this.#answer, 0);
    this.#pollfd.writeInt16LE(POLLIN, 4);
    // It never outlives this program's main thread, which waits here.
    this.must(SYS.prctl, PR_SET_PDEATHSIG, SIGKILL);
    this.data.write('mdevfs-stub\0');
    this.must(SYS.prctl, PR_SET_NAME, Stub.DATA);
    this.daemon = this.must(SYS_PIDFD_OPEN, ownPid, 0);
  }

  #pipe(): [read: number, write: number] {
    const pair = Buffer.alloc(8);
    this.#calls.native.checked('pipe2', this.#calls.pipe2(pair, O_CLOEXEC));
    return [pair.readInt32LE(0), pair.readInt32LE(4)];
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Whether it was asked for a call that nobody has heard the end of. */
  get asked(): boolean {
    return this.#asked;
  }

  /** Runs `listener` when the process has ended. */
  onGone(listener: () => void): void {
    if (this.#gone) listener();
    else this.#child.once('exit', listener);
  }

  /** Runs `listener` when the call that was asked for has returned, or the process has ended. */
  onIdle(listener: () => void): void {
    if (this.#killed && !this.#gone) this.#child.once('exit', listener);
    else listener();
  }

  /** Memory for structures, by its offset; {@link addressOf} is where the stub has it. */
  get words(): DataView {
    return this.#words;
  }

  addressOf(offset: number): number {
    return SHARED_ADDRESS + offset;
  }

  /**
   * Makes a system call.
   * @param patience milliseconds to wait for it here
   * @returns what it returns, a negative errno for a failure; a promise of it when that takes longer
   * @throws StubGone, also as what the promise is rejected with
   */
  call(patience: number, number: number, ...args: readonly (number | bigint)[]): Sleeps<number> {
    this.ask(number, args);
    return this.#wait(patience) ?? this.#untilLater();
  }

  /**
   * The same for a call that no client can make wait.
   * @throws Error when it fails
   */
  must(number: number, ...args: readonly (number | bigint)[]): number {
    this.ask(number, args);
    const result = this.#wait(-1)!;
    if (result < 0) throw new Error(`system call ${number} of a stub: errno ${-result}`);
    return result;
  }

  /**
   * Waits for the call that was asked for, where nothing else can be done.
   * @param patience milliseconds that the call itself may wait; what the stub waits for a processor does not count
   * @returns undefined when it waits longer
   */
  insist(patience: number): number | undefined {
    for (let waited = 0; waited < patience; ) {
      const result = this.#wait(1);
      if (result !== undefined) return result;
      if (!this.#runs()) waited++;
    }
    return undefined;
  }

  /** Whether it is at work, or would be if it had a processor (proc_pid_stat(5), state). */
  #runs(): boolean {
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
      return stat.startsWith('R', stat.lastIndexOf(')') + 2);
    } catch {
      return false;
    }
  }

  /** Whoever waits for it is told so at once; the process ends when the kernel lets it. */
  kill(): void {
    this.#killed = true;
    this.#child.kill('SIGKILL');
    const later = this.#later;
    this.#later = undefined;
    later?.reject(new StubGone('killed'));
  }

  /** Ends a stub that nobody asks anything of. */
  end(): void {
    this.#child.kill('SIGKILL');
  }

  /** Asks for a system call, and does not wait for it. @throws StubGone */
  ask(number: number, args: readonly (number | bigint)[]): void {
    if (this.#gone || this.#killed) throw new StubGone('it has ended');
    this.#put(0, number);
    for (let at = 0; at < 6; at++) this.#put(8 + 8 * at, args[at] ?? 0);
    this.#asked = true;
    this.#calls.native.direct.write(this.#ask, ONE, 1);
  }

  #put(at: number, value: number | bigint): void {
    if (typeof value === 'bigint') this.#words.setBigUint64(at, BigInt.asUintN(64, value), true);
    else {
      this.#words.setUint32(at, value >>> 0, true);
      this.#words.setInt32(at + 4, Math.floor(value / TWO32), true);
    }
  }

  #wait(patience: number): number | undefined {
    const { poll, native } = this.#calls;
    let ready = poll(this.#pollfd, 1, 0);
    if (ready === 0 && patience !== 0) {
      // To go to sleep and to be woken up takes longer than nearly every call.
      for (let looks = 0; ready === 0 && looks < LOOKS; looks++) {
        native.direct.yield();
        ready = poll(this.#pollfd, 1, 0);
      }
      if (ready === 0) ready = poll(this.#pollfd, 1, patience);
    }
    // A signal, such as the one that a child has ended, must not leave a call behind that others take for theirs.
    while (ready <= 0 && patience < 0) ready = poll(this.#pollfd, 1, patience);
    if (ready <= 0) return undefined;
    if (this.#calls.native.direct.read(this.#answer, this.#taken, 1) !== 1)
      throw new StubGone('it has ended');
    this.#asked = false;
    return this.#result;
  }

  get #result(): number {
    return Number(this.#words.getBigInt64(CALL_RESULT, true));
  }

  #untilLater(): Promise<number> {
    this.#socket ??= this.#listen();
    return new Promise((resolve, reject) => {
      this.#later = { resolve, reject };
    });
  }

  #listen(): Socket {
    const socket = new Socket({ fd: this.#answer, readable: true, writable: false });
    socket.on('data', () => {
      const later = this.#later;
      this.#later = undefined;
      this.#asked = false;
      later?.resolve(this.#result);
    });
    socket.on('error', () => {});
    socket.unref();
    return socket;
  }

  #ended(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#later?.reject(new StubGone('it has ended'));
    this.#later = undefined;
    closeSync(this.#ask);
    if (this.#socket) this.#socket.destroy();
    else closeSync(this.#answer);
  }
}
