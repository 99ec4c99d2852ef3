/**
 * The clock that a machine has if it is given no other: the one of the process that it is in. This is the only place of
 * the model that knows one, so that everything else of it does the same every time.
 * @module
 */

import type { Clock } from '../lib/clock.js';

export const processClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  every(milliseconds, body) {
    const timer = setInterval(body, milliseconds).unref();
    return () => clearInterval(timer);
  },
};
