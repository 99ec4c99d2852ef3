/**
 * System calls that are begun again (a kernel's ERESTARTNOINTR): the model asks for memory and descriptors in the middle of
 * a call, and cannot sleep there. What is not there at once is fetched while everybody else is served, and the model is
 * left by an exception, which it takes back its steps for as for an EFAULT. When it is there, the call is made once more,
 * and finds it.
 *
 * So a driver may see an access twice, of which the first came to nothing where it reached for memory that was not there.
 * @module
 */

import { asleep, type Sleeps } from '../../lib/sleep.js';

/** What the model is left by. It is no error, and nobody but {@link Restarts.run} may catch it. */
class Restart {
  constructor(readonly until: Promise<unknown>) {}
}

/** How something that a call waited for ended. */
type Ended = { readonly value: unknown } | { readonly error: unknown };

/** A system call: what it waited for, by what that is and how often it was asked for before. */
class RestartableCall {
  readonly ended = new Map<string, Ended>();
  readonly asked = new Map<string, number>();

  constructor(readonly thread: number) {}

  /** Names what is asked for, the n-th time. */
  keyOf(what: string): string {
    const times = this.asked.get(what) ?? 0;
    this.asked.set(what, times + 1);
    return `${what} ${times}`;
  }
}

/** How often a call is begun again, for one whose memory goes away as often as it comes. */
const MOST = 1000;

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
  run<T>(thread: number, body: () => Sleeps<T>): Sleeps<T> {
    return this.#attempt(new RestartableCall(thread), body, MOST);
  }

  #attempt<T>(call: RestartableCall, body: () => Sleeps<T>, left: number): Sleeps<T> {
    const outer = this.#call;
    this.#call = left > 0 ? call : undefined;
    call.asked.clear();
    try {
      return body();
    } catch (error) {
      if (!(error instanceof Restart)) throw error;
      return error.until.then(() => this.#attempt(call, body, left - 1));
    } finally {
      this.#call = outer;
    }
  }

  /**
   * Waits for something that a call needs.
   * @param what names it, so that it is found again
   * @param begin begins to fetch it
   * @param insist fetches it here and now, where there is no call to be begun again
   * @throws what fetching it fails with; {@link Restart}
   */
  wait<T>(what: string, begin: () => Sleeps<T>, insist: () => T): T {
    const call = this.#call;
    if (!call) return insist();
    const key = call.keyOf(what);
    const ended = call.ended.get(key);
    if (ended) {
      if ('error' in ended) throw ended.error;
      return ended.value as T;
    }
    const fetched = begin();
    if (!asleep(fetched)) return fetched;
    throw new Restart(
      fetched.then(
        (value) => void call.ended.set(key, { value }),
        (error: unknown) => void call.ended.set(key, { error }),
      ),
    );
  }
}
