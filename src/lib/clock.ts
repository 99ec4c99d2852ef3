/**
 * What time it is, and waiting for a time that comes (kernel/time: `ktime_get_real`, `msleep`, delayed work). The model
 * has no clock and no timers of its own: it gets them from where the machine is put together.
 * @module
 */

export interface Clock {
  /** Milliseconds since the epoch, with a fraction. */
  now(): number;
  /** Settles after as many milliseconds. */
  sleep(milliseconds: number): Promise<void>;
  /**
   * Calls `body` each time that as many milliseconds have gone by. What only waits for that may end.
   * @returns ends it
   */
  every(milliseconds: number, body: () => void): () => void;
}
