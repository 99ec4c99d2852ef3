/**
 * System calls that are begun again (a kernel's ERESTARTNOINTR): the model asks for memory and descriptors in the middle of
 * a call, and cannot sleep there. What is not there at once is fetched while everybody else is served, and the model is
 * left by an exception, which it takes back its steps for as for an EFAULT. When it is there, the call is made once more,
 * and finds it.
 *
 * A request (ioctl) writes its answer when it is done, so from its first write on nothing can be begun again. An access to a
 * device can, with what it read before: a driver may see it twice, of which the first came to nothing where it reached for
 * memory that was not there.
 * @module
 */

import { asleep, type Sleeps } from '../../lib/sleep.js';

/** What the model is left by. It is no error, and nobody but {@link Restarts.run} may catch it. */
class Restart {
  constructor(readonly until: Promise<unknown>) {}
}

/** How something that a call waited for ended. */
type Ended = { readonly value: unknown } | { readonly error: unknown };

/** What is made again: a request, up to its answer, or an access to a device. */
export type Repeated = 'request' | 'access';

/** A system call. Most never wait, so what those need is made when one does. */
class RestartableCall {
  /** What it waited for, by what that is and how often it was asked for before. */
  ended: Map<string, Ended> | undefined;
  asked: Map<string, number> | undefined;
  /** What was read since the call began. */
  read: (readonly [what: () => string, copy: () => unknown])[] | undefined;
  /** When it was begun, or asked for something first; 0 until then. */
  #begun = 0;
  /** When it has to end. */
  #end = 0;

  constructor(
    readonly thread: number,
    readonly kind: Repeated,
  ) {}

  again(): void {
    this.asked = undefined;
    this.read = undefined;
    this.#begun = 0;
  }

  /** Whether it may go on to be begun again. */
  get goesOn(): boolean {
    return this.#end === 0 || performance.now() < this.#end;
  }

  endedAs(key: string, how: Ended): void {
    this.ended ??= new Map();
    this.ended.set(key, how);
  }

  noteRead(what: () => string, copy: () => unknown): void {
    // A request has written nothing when it is begun again.
    if (this.kind === 'request') return;
    this.read ??= [];
    this.read.push([what, copy]);
  }

  /** Has the call read the same again, whatever it wrote meanwhile. */
  keepRead(): void {
    const times = new Map<string, number>();
    for (const [what, copy] of this.read ?? []) this.endedAs(keyOf(times, what()), { value: copy() });
  }

  /** Whether it has had the main thread for long enough. */
  get isOverdue(): boolean {
    const now = performance.now();
    if (this.#end === 0) this.#end = now + LONGEST;
    if (this.#begun === 0) this.#begun = now;
    return now - this.#begun > SLICE;
  }

  keyOf(what: string): string {
    this.asked ??= new Map();
    return keyOf(this.asked, what);
  }
}

/** Names what is asked for, the n-th time. */
function keyOf(asked: Map<string, number>, what: string): string {
  const times = asked.get(what) ?? 0;
  asked.set(what, times + 1);
  return `${what} ${times}`;
}

/** How often a call is begun again, for one whose memory goes away as often as it comes. */
const MOST = 100_000;
/** Milliseconds that a call may take in all, unless it waits for something. */
const LONGEST = 30_000;
/** Milliseconds that a call may take of the main thread until everybody else is served, for one that copies much. */
const SLICE = 10;

/** What a call waits for. */
export interface Awaited<T> {
  /** Begins to fetch it; `late` when everybody else comes first, and what it returns is used after that. */
  begin(late: boolean): Sleeps<T>;
  /** Fetches it here and now, where there is no call to be begun again. */
  insist(): T;
  /** Whether it need not be fetched anew when the call is begun again. */
  readonly keep?: boolean;
  /** Of something that is read: a copy of it, once the call has it. */
  copy?(): T;
}

export class Restarts {
  #call: RestartableCall | undefined;

  /** The thread whose call is being made; undefined outside of calls. */
  get thread(): number | undefined {
    return this.#call?.thread;
  }

  /** What was done of the call that is being made can no longer be done again. */
  commit(): void {
    this.#call = undefined;
  }

  /** Makes a call of a thread that waits for it. */
  run<T>(thread: number, kind: Repeated, body: () => Sleeps<T>): Sleeps<T> {
    return this.#attempt(new RestartableCall(thread, kind), body, MOST);
  }

  /** Something is about to be written. */
  writes(): void {
    if (this.#call?.kind === 'request') this.commit();
  }

  #attempt<T>(call: RestartableCall, body: () => Sleeps<T>, left: number): Sleeps<T> {
    const outer = this.#call;
    this.#call = left > 0 && call.goesOn ? call : undefined;
    try {
      return body();
    } catch (error) {
      if (!(error instanceof Restart)) throw error;
      return error.until.then(() => {
        call.again();
        return this.#attempt(call, body, left - 1);
      });
    } finally {
      this.#call = outer;
    }
  }

  /**
   * Waits for something that a call needs.
   * @param what names it, so that it is found again
   * @throws what fetching it fails with; {@link Restart}
   */
  wait<T>(what: () => string, { begin, insist, keep, copy }: Awaited<T>): T {
    const call = this.#call;
    if (!call) return insist();
    let key: string | undefined;
    if (call.ended) {
      key = call.keyOf(what());
      const ended = call.ended.get(key);
      if (ended) {
        if ('error' in ended) throw ended.error;
        return ended.value as T;
      }
    }
    const late = call.isOverdue;
    const fetched = begin(late);
    if (!asleep(fetched) && !late) {
      if (keep) call.endedAs(key ?? call.keyOf(what()), { value: fetched });
      else if (copy) call.noteRead(what, copy);
      return fetched;
    }
    if (!copy) call.keepRead();
    const found = key ?? call.keyOf(what());
    const others = late ? new Promise<void>((resolve) => void setImmediate(resolve)) : undefined;
    throw new Restart(
      Promise.all([fetched, others]).then(
        ([value]) => call.endedAs(found, { value }),
        (error: unknown) => call.endedAs(found, { error }),
      ),
    );
  }
}
