/**
 * A clock that goes on only when a test says so.
 * @module
 */

import type { Clock } from '../../src/lib/clock.js';

export class StoppedClock implements Clock {
  #now = 0;
  readonly #waiting = new Set<{ at: number; due(): void }>();

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const entry = {
        at: this.#now + milliseconds,
        due: () => {
          this.#waiting.delete(entry);
          resolve();
        },
      };
      this.#waiting.add(entry);
    });
  }

  every(milliseconds: number, body: () => void): () => void {
    const entry = {
      at: this.#now + milliseconds,
      due() {
        entry.at += milliseconds;
        body();
      },
    };
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }

  /** How much there is that waits for a time. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Lets time go by, and whoever it wakes up go on. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      const [next] = [...this.#waiting].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#now = next.at;
      next.due();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
  }
}
