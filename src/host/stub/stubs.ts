/**
 * The stubs of a daemon, and who may have how many of them. One that is idle is there for the next call; one that waits
 * for an object of a client counts as the client's: a process has one, a user 64, and what they ask for meanwhile waits
 * for those. So a client whose memory does not come waits by itself, however many threads it has.
 *
 * A call ends when its time is over, or when nobody waits for it any more. Its stub is killed then; until the kernel lets it
 * end it counts as the client's.
 * @module
 */

import { readFileSync } from 'node:fs';
import { Errno, KernelError } from '../../lib/errno.js';
import { asleep, type Sleeps } from '../../lib/sleep.js';
import type { NativeCalls } from '../native.js';
import { Stub, StubGone } from './stub.js';
import { StubCalls } from './stub-calls.js';

/** Who has the object that a stub may have to wait for. */
export interface Client {
  /** Number of the process. */
  readonly pid: number;
  readonly uid: number;
}

/** Calls that wait at the same time. */
const PER_PROCESS = 1;
const PER_USER = 64;
/** Stubs that are kept for what comes next. */
const IDLE = 2;
/** Milliseconds that the main thread waits for a call; nothing for a user who makes so many wait already. */
const PATIENCE = 1;
const IMPATIENT_FROM = 8;
/** Milliseconds that a call may take. */
const DEADLINE = 30_000;
/** Milliseconds between two looks at whether somebody still waits for it. */
const LOOK = 100;
/** Milliseconds of waiting that all others are made to share with a client, where it cannot wait by itself. */
const INSIST = 5;

/**
 * What is done with a stub, which is another's when it is done. Without patience, whoever waits for it gets what it
 * returns later than that, also when it is there at once.
 */
export type StubWork<T> = (stub: Stub, patience: number) => Sleeps<T>;

interface Waiting {
  readonly client: Client;
  begin(): void;
}

export class Stubs {
  readonly #calls: StubCalls;
  readonly #idle: Stub[] = [];
  /** How many stubs wait for a process, and for a user. */
  readonly #ofProcess = new Map<number, number>();
  readonly #ofUser = new Map<number, number>();
  readonly #queue: Waiting[] = [];
  readonly #all = new Set<Stub>();

  /** @throws Error of one line where no stub can be made */
  constructor(native: NativeCalls) {
    this.#calls = new StubCalls(native);
    this.#idle.push(this.#start());
  }

  /** Numbers of the processes. */
  get pids(): number[] {
    return [...this.#all].map(({ pid }) => pid);
  }

  /**
   * Does what may have to wait for an object of a client.
   * @param thread waits for it; when it is killed, the call is given up
   * @returns what the work returns, now or later
   * @throws EFAULT when its time is over, EINTR when its thread was killed
   */
  use<T>(client: Client, thread: number | undefined, work: StubWork<T>): Sleeps<T> {
    // Who a client is takes long to find out, and matters only when somebody waits.
    if (this.#ofUser.size === 0) return this.#begin(client, thread, work, PATIENCE);
    if (this.#isFull(client)) return this.#queued(client, thread, work);
    const waiting = this.#ofUser.get(client.uid) ?? 0;
    return this.#begin(client, thread, work, waiting < IMPATIENT_FROM ? PATIENCE : 0);
  }

  /**
   * Does one call here and now, where nothing can come back to it later.
   * @param ask asks the stub for it
   * @param take makes something of what it returned
   * @throws EFAULT when it waits for long
   */
  insist<T>(client: Client, ask: (stub: Stub) => void, take: (stub: Stub, result: number) => T): T {
    const stub = this.#take();
    let result: number | undefined;
    try {
      ask(stub);
      // Who makes one wait already is not waited for again.
      result = stub.insist(this.#ofUser.size > 0 && this.#isFull(client) ? 1 : INSIST);
    } catch (error) {
      this.#put(stub);
      throw gaveUp(error, Errno.EFAULT);
    }
    if (result === undefined) {
      this.#abandon(stub, client);
      throw new KernelError(Errno.EFAULT);
    }
    try {
      return take(stub, result);
    } finally {
      this.#put(stub);
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const stub of this.#all) stub.kill();
  }

  #begin<T>(client: Client, thread: number | undefined, work: StubWork<T>, patience: number): Sleeps<T> {
    const stub = this.#take();
    let result: Sleeps<T>;
    try {
      result = work(stub, patience);
    } catch (error) {
      this.#put(stub);
      // Somebody ended one that was idle.
      if (error instanceof StubGone && this.#idle.length > 0)
        return this.#begin(client, thread, work, patience);
      throw gaveUp(error, Errno.EFAULT);
    }
    if (!asleep(result)) {
      this.#put(stub);
      return result;
    }
    return this.#waitFor(result, stub, client, thread);
  }

  async #waitFor<T>(result: Promise<T>, stub: Stub, client: Client, thread?: number): Promise<T> {
    this.#count(client, 1);
    let errno: number = Errno.EFAULT;
    const end = performance.now() + DEADLINE;
    const looking = setInterval(() => {
      const killed = thread !== undefined && isKilled(thread);
      if (!killed && performance.now() < end) return;
      if (killed) errno = Errno.EINTR;
      stub.kill();
    }, LOOK);
    try {
      return await result;
    } catch (error) {
      throw gaveUp(error, errno);
    } finally {
      clearInterval(looking);
      // One that was killed may have to wait on in the kernel.
      stub.onIdle(() => {
        this.#count(client, -1);
        this.#put(stub);
        this.#next();
      });
    }
  }

  /** Its stub waits on in the kernel, killed, and nobody waits for it. */
  #abandon(stub: Stub, client: Client): void {
    this.#count(client, 1);
    stub.kill();
    stub.onIdle(() => {
      this.#count(client, -1);
      this.#next();
    });
  }

  #queued<T>(client: Client, thread: number | undefined, work: StubWork<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = performance.now() + DEADLINE;
      const leave = (errno: number): void => {
        clearInterval(looking);
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        reject(new KernelError(errno));
      };
      const looking = setInterval(() => {
        if (thread !== undefined && isKilled(thread)) leave(Errno.EINTR);
        else if (performance.now() > end) leave(Errno.EFAULT);
      }, LOOK);
      const waiting: Waiting = {
        client,
        begin: () => {
          clearInterval(looking);
          try {
            resolve(this.#begin(client, thread, work, 0));
          } catch (error) {
            reject(error as Error);
          }
        },
      };
      this.#queue.push(waiting);
    });
  }

  /** Begins what has waited for a stub to be free. */
  #next(): void {
    for (let at = 0; at < this.#queue.length; ) {
      if (this.#isFull(this.#queue[at]!.client)) at++;
      else this.#queue.splice(at, 1)[0]!.begin();
    }
  }

  #isFull({ pid, uid }: Client): boolean {
    return (this.#ofProcess.get(pid) ?? 0) >= PER_PROCESS || (this.#ofUser.get(uid) ?? 0) >= PER_USER;
  }

  #count({ pid, uid }: Client, more: number): void {
    count(this.#ofProcess, pid, more);
    count(this.#ofUser, uid, more);
  }

  /** @throws KernelError ENOMEM when none can be started */
  #take(): Stub {
    for (let stub = this.#idle.pop(); stub; stub = this.#idle.pop()) if (!stub.gone) return stub;
    try {
      return this.#start();
    } catch {
      throw new KernelError(Errno.ENOMEM);
    }
  }

  #start(): Stub {
    const stub = new Stub(this.#calls);
    this.#all.add(stub);
    stub.onGone(() => this.#all.delete(stub));
    return stub;
  }

  #put(stub: Stub): void {
    if (stub.gone) return;
    // The answer to one call is never taken for that to another.
    if (!stub.asked && this.#idle.length < IDLE) this.#idle.push(stub);
    else stub.end();
  }
}

function count(numbers: Map<number, number>, key: number, more: number): void {
  const value = (numbers.get(key) ?? 0) + more;
  if (value > 0) numbers.set(key, value);
  else numbers.delete(key);
}

function gaveUp(error: unknown, errno: number): unknown {
  return error instanceof StubGone ? new KernelError(errno) : error;
}

/** SIGKILL among the signals of a line such as `SigPnd:	0000000000000100`. */
const KILLED = /^S(?:ig|hd)Pnd:\s*[0-9a-f]*[13579bdf][0-9a-f]{2}$/m;

/** Whether a thread is gone, or about to be as soon as it is let go (proc_pid_status(5)). */
function isKilled(thread: number): boolean {
  try {
    return KILLED.test(readFileSync(`/proc/${thread}/status`, 'latin1'));
  } catch {
    return true;
  }
}
